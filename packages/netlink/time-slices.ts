import { setImmediate as nextTurn } from 'node:timers/promises';

/** Long work in slices, so that timers and requests get their turn: `if (slices.isOver) await slices.next()` wherever it may pause. */
export class TimeSlices {
  readonly #ms: number;
  #end: number;

  /** `ms`: how long one slice may hold Node up. */
  constructor(ms = 8) {
    this.#ms = ms;
    this.#end = performance.now() + ms;
  }

  get isOver(): boolean { return performance.now() >= this.#end; }

  async next(): Promise<void> {
    await nextTurn();
    this.#end = performance.now() + this.#ms;
  }
}
