// What of one family's table may no longer be as it was left: what an audit has to look at. Reading 660,000 rows back takes seconds,
// looking at one takes microseconds; so a transaction of somebody else's brings the names of what it touched.
import { ROW_MAPS } from '../core/rows.ts';
import type { MapName, Row } from '../core/rows.ts';

/** Beyond as many rows of a map, reading it whole is no slower. */
const MAX_ROWS = 10_000;

export class Suspicion {
  /** The constant part (chains, rules, sets themselves, maps of verdicts): to be compared, or known to have been changed. */
  rules: 'trusted' | 'to be compared' | 'changed' = 'trusted';
  readonly #rows = new Map<MapName, Map<string, Row> | 'all'>();

  static everything(): Suspicion {
    const suspicion = new Suspicion();
    suspicion.addEverything();
    return suspicion;
  }

  addEverything(): void {
    if (this.rules === 'trusted') this.rules = 'to be compared';
    for (const map of ROW_MAPS) this.#rows.set(map, 'all');
  }

  addMap(map: MapName): void { this.#rows.set(map, 'all'); }

  addRow(row: Row): void {
    const rows = this.#rows.get(row.map) ?? new Map<string, Row>();
    if (rows === 'all') return;
    rows.set(keyText(row), row);
    this.#rows.set(row.map, rows.size > MAX_ROWS ? 'all' : rows);
  }

  add(other: Suspicion): void {
    if (this.rules === 'trusted' || other.rules === 'changed') this.rules = other.rules;
    for (const [map, rows] of other.#rows) {
      if (rows === 'all') this.addMap(map);
      else for (const row of rows.values()) this.addRow(row);
    }
  }

  /** The rows of a map to look at, by `keyText`; undefined: none. */
  rowsOf(map: MapName): ReadonlyMap<string, Row> | 'all' | undefined { return this.#rows.get(map); }
}

/** What a row says, as text, alike for the planner's rows and the kernel's. */
export const dataText = ({ data }: Row): string => data?.join(' ') ?? '';

/** A row's key as text, alike for the planner's rows and the kernel's. */
export function keyText(row: Row): string {
  return `${row.key.join(' ')}${row.keyEnd === undefined || row.keyEnd.join() === row.key.join() ? '' : ` - ${row.keyEnd.join(' ')}`}`;
}
