// Many rows as three numbers, alike for the same rows in any order: to tell that a state has all of 660,000 rows that were read, without
// keeping or reading them twice. Not against malice: whoever may write the table may write anything.
import type { Row } from '../core/rows.ts';
import { dataText, keyText } from './suspicion.ts';

export class RowPrint {
  #count = 0;
  #first = 0;
  #second = 0;

  add(row: Row): void {
    const text = `${keyText(row)} : ${dataText(row)}`;
    // FNV-1a, and the same from another start.
    let [first, second] = [0x811c9dc5, 0x2f0b4a27];
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      first = Math.imul(first ^ code, 0x01000193);
      second = Math.imul(second ^ code, 0x01000193);
    }
    this.#count++;
    this.#first = (this.#first + first) | 0;
    this.#second = (this.#second + (second ^ (second >>> 15))) | 0;
  }

  equals(other: RowPrint): boolean { return this.#count === other.#count && this.#first === other.#first && this.#second === other.#second; }
}
