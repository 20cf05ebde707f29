// Compares one map with the kernel, all of it or the rows that are suspected, and has what differs put right.
import { TimeSlices } from '@podwire/netlink';
import type { Nft } from 'nftables-js';
import { expectedRows } from '../core/expected-rows.ts';
import type { MapName, Row } from '../core/rows.ts';
import type { TableState } from '../core/table-state.ts';
import type { TableSchema } from '../ruleset/schema.ts';
import { readRows } from './kernel-rows.ts';
import { dataText, keyText } from './suspicion.ts';
import type { TransactionSink } from './transaction-sink.ts';

/** What an audit found and put right: rows by kind, whether rules were written anew, and the first few of it in words. */
export interface Repair { readonly added: number; readonly removed: number; readonly changed: number; readonly rules: boolean; readonly details: readonly string[] }

const MAX_DETAILS = 20;

export class RowAudit {
  added = 0;
  removed = 0;
  changed = 0;
  readonly details: string[] = [];
  readonly #nft: Nft;
  readonly #schema: TableSchema;
  readonly #state: TableState;
  readonly #sink: TransactionSink;

  constructor(nft: Nft, schema: TableSchema, state: TableState, sink: TransactionSink) {
    this.#nft = nft;
    this.#schema = schema;
    this.#state = state;
    this.#sink = sink;
  }

  /** `only`: the rows to look at, by `keyText`. */
  async compare(map: MapName, only: ReadonlyMap<string, Row> | 'all'): Promise<void> {
    const expected = new Map<string, Row>();
    const slices = new TimeSlices();
    for (const row of expectedRows(this.#state, map)) {
      if (slices.isOver) await slices.next();
      const key = keyText(row);
      if (only === 'all' || only.has(key)) expected.set(key, row);
    }
    await readRows(this.#nft, this.#schema, map, (row) => {
      const key = keyText(row);
      const wanted = expected.get(key);
      expected.delete(key);
      this.#judge(row, wanted, key);
    }, only === 'all' ? undefined : only.values());
    for (const row of expected.values()) await this.#add(row);
  }

  /** Of a table that has no rows: nothing is read, every row is written. */
  async refill(map: MapName): Promise<void> {
    for (const row of expectedRows(this.#state, map)) await this.#add(row);
  }

  async #add(row: Row): Promise<void> {
    this.added++;
    if (this.details.length < MAX_DETAILS) this.#note(row, `row ${keyText(row)} was missing`);
    this.#sink.add(row);
    if (this.#sink.isLarge) await this.#sink.breathe();
  }

  #judge(row: Row, wanted: Row | undefined, key: string): void {
    if (wanted === undefined) {
      this.removed++;
      this.#note(row, `foreign row ${key} removed`);
      this.#sink.remove(row);
    } else if (dataText(wanted) !== dataText(row)) {
      this.changed++;
      this.#note(row, `row ${key} was ${dataText(row)}`);
      this.#sink.remove(row);
      this.#sink.add(wanted);
    }
  }

  #note({ map }: Row, text: string): void {
    if (this.details.length < MAX_DETAILS) this.details.push(`${this.#schema.family} ${map}: ${text}`);
  }
}
