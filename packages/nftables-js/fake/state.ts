import type { MonitorEvent } from '../monitor.ts';
import type { SetInfo } from '../listing.ts';
import type { SetSchema, TableRef } from '../schema.ts';

/** A set's elements by encoded key; the value is the element's own attributes, as they were sent. */
export interface FakeSet {
  readonly info: SetInfo;
  readonly schema: SetSchema;
  readonly elements: Map<string, Buffer>;
}

export interface FakeRule {
  readonly handle: bigint;
  readonly expressions: readonly string[];
  readonly references: readonly string[];
}

export interface FakeChain {
  readonly handle: bigint;
  readonly rules: FakeRule[];
}

export interface FakeTable {
  readonly ref: TableRef;
  readonly handle: bigint;
  readonly chains: Map<string, FakeChain>;
  readonly sets: Map<string, FakeSet>;
}

interface Watcher {
  readonly portId: number;
  readonly onEvent: (event: MonitorEvent) => void;
}

export const tableKey = (table: TableRef): string => `${table.family} ${table.name}`;

/** What the kernel would hold: shared by a fake and its peers. */
export class FakeState {
  readonly tables = new Map<string, FakeTable>();
  readonly watchers = new Set<Watcher>();
  generation = 1;
  #handle = 0n;

  nextHandle(): bigint {
    this.#handle += 1n;
    return this.#handle;
  }

  /** One transaction is over: tells the others, later, as the kernel's messages would arrive. */
  announce(portId: number, changes: readonly MonitorEvent[]): void {
    this.generation += 1;
    const events: MonitorEvent[] = [...changes, { kind: 'generation', generation: this.generation, portId, pid: portId, process: 'fake' }];
    for (const watcher of this.watchers) {
      if (watcher.portId === portId) continue;
      queueMicrotask(() => {
        if (this.watchers.has(watcher)) events.forEach(watcher.onEvent);
      });
    }
  }

  /** For atomicity: what a failed load of text goes back to. Buffers are never changed in place, so the maps suffice. */
  copyTables(): Map<string, FakeTable> {
    return new Map([...this.tables].map(([key, table]) => [key, {
      ...table,
      chains: new Map([...table.chains].map(([name, chain]) => [name, { ...chain, rules: [...chain.rules] }])),
      sets: new Map([...table.sets].map(([name, set]) => [name, { ...set, elements: new Map(set.elements) }])),
    }]));
  }

  restore(tables: Map<string, FakeTable>): void {
    this.tables.clear();
    for (const [key, table] of tables) this.tables.set(key, table);
  }
}
