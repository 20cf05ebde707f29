// The planner's rows as netlink transactions. One transaction when the change is small; a large load goes in chunks. A Service's
// rows are never spread over two chunks, so no chunk boundary shows.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Transaction, expr } from 'nftables-js';
import type { Nft, SetSchema } from 'nftables-js';
import { HASHED } from '../core/rows.ts';
import type { MapName, Row, RowSink } from '../core/rows.ts';
import { pickerName } from '../ruleset/render.ts';
import type { TableSchema } from '../ruleset/schema.ts';
import { elementValue } from './kernel-rows.ts';

/** About 20,000 elements: the kernel's work on one chunk overlaps with ours on the next. */
const CHUNK_BYTES = 1 << 20;

/** How many Service ports need a picker or keeper chain; those nobody needs go in the second step of a removal. */
export class ChainCounts {
  readonly #counts = new Map<number, number>();
  /** Chains that the kernel has. */
  readonly existing = new Set<number>();

  /** True when the chain must be made. */
  up(value: number): boolean {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
    if (this.existing.has(value)) return false;
    this.existing.add(value);
    return true;
  }

  down(value: number): void { this.#counts.set(value, (this.#counts.get(value) ?? 1) - 1); }

  get needed(): number[] { return [...this.#counts].filter(([, uses]) => uses > 0).map(([value]) => value); }
  get hasUnused(): boolean { return this.existing.size > 0 && this.unused.length > 0; }
  get unused(): number[] { return [...this.existing].filter((value) => (this.#counts.get(value) ?? 0) <= 0); }
  forget(value: number): void {
    this.existing.delete(value);
    this.#counts.delete(value);
  }
}

export class TransactionSink implements RowSink {
  readonly #schema: TableSchema;
  readonly #nft: Nft;
  readonly #pickers: ChainCounts;
  readonly #keepers: ChainCounts;
  #open: Transaction;
  readonly #sent: Promise<void>[] = [];
  /** Keeper chains that must exist before this is committed. */
  readonly newKeepers: number[] = [];
  /** Rows added and removed so far. */
  operations = 0;

  constructor(schema: TableSchema, nft: Nft, pickers: ChainCounts, keepers: ChainCounts) {
    this.#schema = schema;
    this.#nft = nft;
    this.#pickers = pickers;
    this.#keepers = keepers;
    this.#open = new Transaction(schema.table);
  }

  /** Enough is collected to be sent. */
  get isLarge(): boolean { return this.#open.byteLength >= CHUNK_BYTES; }

  add(row: Row): void {
    this.operations++;
    const options = row.keyEnd === undefined ? undefined : { keyEnd: row.keyEnd };
    this.#open.addElement(this.#set(row.map), elementValue(row.key), row.data === undefined ? undefined : elementValue(row.data), options);
  }

  remove(row: Row): void {
    this.operations++;
    this.#open.deleteElement(this.#set(row.map), elementValue(row.key), row.keyEnd === undefined ? undefined : { keyEnd: row.keyEnd });
  }

  addPicker(count: number): void {
    if (this.#pickers.up(count)) addPicker(this.#open, this.#schema, count);
  }

  removePicker(count: number): void { this.#pickers.down(count); }

  addKeeper(seconds: number): void {
    if (this.#keepers.up(seconds)) this.newKeepers.push(seconds);
  }

  removeKeeper(seconds: number): void { this.#keepers.down(seconds); }

  /**
   * Between two Services: sends what is collected when it is much, and gives a turn: only between turns does the pool thread get it, and the
   * kernel works while the next chunk is made. Never inside a Service: its rows belong together.
   */
  async breathe(): Promise<void> {
    if (!this.isLarge) return;
    this.#send(this.#open);
    this.#open = new Transaction(this.#schema.table);
    await nextTurn();
  }

  /** Sends the rest and resolves when the kernel has taken all of it. */
  async commit(): Promise<void> {
    if (this.#sent.length === 0) {
      await this.#nft.commit(this.#open);
      return;
    }
    this.#send(this.#open);
    const results = await Promise.allSettled(this.#sent);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #send(transaction: Transaction): void {
    const sent = this.#nft.commit(transaction);
    sent.catch(() => undefined); // looked at in commit()
    this.#sent.push(sent);
  }

  #set(map: MapName): SetSchema { return this.#schema.rows[map]; }
}

/** nft add chain lb-N; add rule lb-N ct mark set ct mark . numgen random mod N map @slot; add element pickers { N : jump lb-N } */
export function addPicker(transaction: Transaction, schema: TableSchema, count: number): void {
  const chain = pickerName(count);
  const choose = count < HASHED ? [expr.numgen('random', count, 1)] : hashOf(schema, count - HASHED);
  transaction.addChain(chain).flushChain(chain)
    .addRule(chain, [expr.ctLoad('mark', 0), ...choose, expr.lookup('slot', 0, 0), expr.ctSet('mark', 0)])
    .addElement(schema.pickers, count, { verdict: 'jump', chain });
}

function hashOf(schema: TableSchema, modulus: number): expr.Expression[] {
  const [offset, length] = schema.family === 'ip' ? [12, 4] : [8, 16];
  return [
    expr.payload('network', offset, length, 2),
    expr.payload('transport', 0, 2, 2 + length / 4),
    expr.jhash(2, length + 4, modulus, 0x7077_0001, 1),
  ];
}
