import { ElementView } from '../element-codec.ts';
import type { Element } from '../element-codec.ts';
import { NftError } from '../errors.ts';
import { describeFailure } from '../failure.ts';
import type { Listing } from '../listing.ts';
import type { MonitorEvent } from '../monitor.ts';
import type { CommitOptions, ElementVisitor, Nft } from '../nft.ts';
import type { ElementValue, SetSchema, TableRef } from '../schema.ts';
import type { Transaction } from '../transaction.ts';
import { MessageWriter } from '../writer.ts';
import { Refusal, applyMessage, encodedKey } from './apply.ts';
import type { Journal } from './apply.ts';
import { loadText } from './load.ts';
import { FakeState, tableKey } from './state.ts';

let lastPortId = 0;

/**
 * nf_tables in memory: the same interface, the same refusals, no kernel and no privilege. It reads the very bytes that the kernel
 * would get. It keeps tables, chains, sets and elements; it runs no rule and expires no element.
 */
export class FakeNft implements Nft {
  readonly portId: number;
  readonly #state: FakeState;

  constructor(state: FakeState = new FakeState()) {
    this.#state = state;
    lastPortId += 1;
    this.portId = lastPortId;
  }

  /** Another program on the same kernel: this one's monitor sees what it does. */
  peer(): FakeNft {
    return new FakeNft(this.#state);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async loadRuleset(text: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const changes: MonitorEvent[] = [];
    const before = this.#state.copyTables();
    try {
      loadText(this.#state, text, (transaction) => changes.push(...this.#apply(transaction)));
    } catch (error) {
      this.#state.restore(before);
      throw error;
    }
    for (const { ref } of this.#state.tables.values()) changes.push({ kind: 'change', action: 'new', object: 'table', table: ref, name: '', portId: this.portId, elements: () => [] });
    this.#state.announce(this.portId, changes);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async commit(transaction: Transaction, options: CommitOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (transaction.length === 0) return;
    if (options.generation !== undefined && options.generation !== this.#state.generation) {
      throw new NftError(`transaction on table ${tableKey(transaction.table)}`, 'ERESTART', 'the ruleset changed meanwhile');
    }
    this.#state.announce(this.portId, this.#apply(transaction));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async list(only?: TableRef): Promise<Listing> {
    const tables = [...this.#state.tables.values()].filter(({ ref }) => only === undefined || tableKey(ref) === tableKey(only));
    return {
      tables: tables.map(({ ref, handle }) => ({ ...ref, handle })),
      chains: tables.flatMap(({ ref, chains }) => [...chains].map(([name, { handle }]) => ({ table: ref, name, handle }))),
      sets: tables.flatMap(({ sets }) => [...sets.values()].map(({ info }) => info)),
      rules: tables.flatMap(({ ref, chains }) => [...chains].flatMap(([chain, { rules }]) => rules.map((rule) => ({ table: ref, chain, ...rule })))),
    };
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async elements(set: SetSchema, select?: ElementVisitor | { readonly keys: readonly ElementValue[] }): Promise<readonly Element[]> {
    const found = this.#state.tables.get(tableKey(set.table))?.sets.get(set.name);
    if (found === undefined) throw new NftError(`nft list ${set.data === undefined ? 'set' : 'map'} ${tableKey(set.table)} ${set.name}`, 'ENOENT', 'no such table or set');
    if (typeof select === 'object') {
      return select.keys.flatMap((key) => {
        const encoded = found.elements.get(encodedKey(set, key));
        return encoded === undefined ? [] : [new ElementView(set, encoded).decode()];
      });
    }
    const kept: Element[] = [];
    for (const encoded of found.elements.values()) {
      const view = new ElementView(set, encoded);
      if (select === undefined) kept.push(view.decode());
      else select(view);
    }
    return kept;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async generation(): Promise<number> {
    return this.#state.generation;
  }

  monitor(onEvent: (event: MonitorEvent) => void, signal: AbortSignal): void {
    signal.throwIfAborted();
    const watcher = { portId: this.portId, onEvent };
    this.#state.watchers.add(watcher);
    signal.addEventListener('abort', () => this.#state.watchers.delete(watcher), { once: true });
  }

  #apply(transaction: Transaction): MonitorEvent[] {
    const writer = new MessageWriter(transaction.byteLength);
    transaction.writeMessages(writer);
    const batch = writer.bytes.subarray(0, writer.length);
    const changes: MonitorEvent[] = [];
    const undo: Journal = [];
    let seq = 0;
    for (let at = 0; at < batch.length; at += batch.readUInt32LE(at)) {
      batch.writeUInt32LE(++seq, at + 8);
      try {
        const change = applyMessage(this.#state, batch.subarray(at, at + batch.readUInt32LE(at)), this.portId, undo);
        if (change !== undefined) changes.push(change);
      } catch (error) {
        for (const takeBack of undo.reverse()) takeBack();
        if (!(error instanceof Refusal)) throw error;
        throw describeFailure(batch, { seq, errno: error.errno, kernelText: '', requestType: 0, ...(error.offset === undefined ? {} : { offset: error.offset }) }, transaction);
      }
    }
    return changes;
  }
}
