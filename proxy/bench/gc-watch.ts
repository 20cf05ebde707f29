// How long the garbage collector worked while something was measured. It works between the single measurements as well, where no
// latency shows it: this counts all of it.
import { PerformanceObserver } from 'node:perf_hooks';

export interface GcTime { readonly totalMs: number; readonly longestMs: number }

export class GcWatch implements Disposable {
  #pauses: number[] = [];
  readonly #observer = new PerformanceObserver((list) => this.#add(list.getEntries()));

  constructor() { this.#observer.observe({ entryTypes: ['gc'] }); }

  /** Forgets what was seen so far. */
  reset(): void {
    this.#observer.takeRecords();
    this.#pauses = [];
  }

  /** Since the start or the last `reset`. */
  get time(): GcTime {
    this.#add(this.#observer.takeRecords());
    return { totalMs: this.#pauses.reduce((sum, pause) => sum + pause, 0), longestMs: Math.max(0, ...this.#pauses) };
  }

  [Symbol.dispose](): void { this.#observer.disconnect(); }

  #add(entries: readonly { readonly duration: number }[]): void { for (const { duration } of entries) this.#pauses.push(duration); }
}
