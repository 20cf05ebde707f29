// Small numbers given out and taken back. A number that came back is used again as late as possible: an old ct mark or
// affinity row may still name it.

export class IdPool {
  readonly #max: number;
  readonly #free: number[] = [];
  /** Index of the first free number that has not been taken from the queue. */
  #head = 0;
  #next = 1;
  readonly #reserved = new Set<number>();

  constructor(max: number) { this.#max = max; }

  take(): number {
    if (this.#next <= this.#max && (this.#free.length - this.#head < 1024 || this.#next < 4096)) {
      while (this.#reserved.delete(this.#next)) this.#next++;
      if (this.#next <= this.#max) return this.#next++;
    }
    const id = this.#free[this.#head];
    if (id === undefined) throw new RangeError(`all ${this.#max} ids are in use`);
    this.#head++;
    if (this.#head > 4096 && this.#head * 2 > this.#free.length) {
      this.#free.splice(0, this.#head);
      this.#head = 0;
    }
    return id;
  }

  /** Marks a number as in use that the kernel had before we started. */
  reserve(id: number): void {
    if (id >= this.#next) this.#reserved.add(id);
  }

  release(id: number): void {
    // A reserved number that `take` has not passed yet becomes free by forgetting the reservation.
    if (!this.#reserved.delete(id)) this.#free.push(id);
  }
}
