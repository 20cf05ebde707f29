// The slots of one service port or twin: which endpoint a random number leads to. Changes touch as few rows as possible, and
// never leave a slot that a packet may still look up pointing at nothing.
import { HASHED } from './rows.ts';
import type { RowSink } from './rows.ts';

export class Slots {
  /** Service port id or twin id. */
  readonly id: number;
  /** Value of the `count` row: N, HASHED + M, or 0 for no row. */
  count = 0;
  /** Endpoint ids as the kernel has them; may be longer than the count until retired. */
  slots: number[] = [];

  constructor(id: number) { this.id = id; }

  /** How many slots the count reaches. */
  get used(): number { return this.count >= HASHED ? this.count - HASHED : this.count; }
  get hasRetired(): boolean { return this.slots.length > this.used; }

  /** Random choice among `wanted`: survivors stay where they are, newcomers fill the holes. */
  spread(wanted: readonly number[], sink: RowSink): void {
    if (this.slots.length === 0) {
      for (const [index, id] of wanted.entries()) sink.add({ map: 'slot', key: [this.id, index], data: [id] });
      this.slots = [...wanted];
      this.#setCount(wanted.length, sink);
      return;
    }
    const missing = new Set(wanted);
    const next: (number | undefined)[] = [];
    for (let index = 0; index < wanted.length; index++) {
      const current = this.slots[index];
      next.push(current !== undefined && missing.delete(current) ? current : undefined);
    }
    const fill = missing.values();
    this.#write(next.map((id) => id ?? fill.next().value ?? 0), new Set(wanted), sink);
    this.#setCount(wanted.length, sink);
  }

  /** Hashed choice: the table says every slot. */
  assign(table: readonly number[], sink: RowSink): void {
    this.#write(table, new Set(table), sink);
    this.#setCount(table.length === 0 ? 0 : HASHED + table.length, sink);
  }

  #write(next: readonly number[], live: ReadonlySet<number>, sink: RowSink): void {
    const { slots } = this;
    for (let index = 0; index < Math.max(next.length, slots.length); index++) {
      const current = slots[index];
      // Beyond the new count: a packet that read the old count must still find a live endpoint, until the slot is retired.
      const target = next[index] ?? (current !== undefined && live.has(current) ? current : next[index % Math.max(1, next.length)]);
      if (target === undefined || target === current) continue;
      if (current !== undefined) sink.remove({ map: 'slot', key: [this.id, index] });
      sink.add({ map: 'slot', key: [this.id, index], data: [target] });
      slots[index] = target;
    }
  }

  #setCount(count: number, sink: RowSink): void {
    if (count === this.count) return;
    if (count !== 0) sink.addPicker(count);
    if (this.count !== 0) {
      sink.remove({ map: 'count', key: [this.id] });
      sink.removePicker(this.count);
    }
    if (count !== 0) sink.add({ map: 'count', key: [this.id], data: [count] });
    this.count = count;
  }

  /** No packet reads the old count any more: the slots beyond the new one go. */
  retire(sink: RowSink): void {
    for (let index = this.used; index < this.slots.length; index++) sink.remove({ map: 'slot', key: [this.id, index] });
    this.slots.length = this.used;
  }
}
