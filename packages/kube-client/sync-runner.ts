// The loop around a reconciler: run soon after a trigger, never more often than allowed, again after a failure (with
// back-off), and from time to time anyway.
import { backoffMs, systemClock } from './clock.ts';
import type { BackoffOptions, Clock } from './clock.ts';

export interface SyncRunnerOptions {
  readonly sync: (signal: AbortSignal) => Promise<void>;
  /** Least time between the starts of two runs; default 0. The first trigger after a quiet time runs at once. */
  readonly minIntervalMs?: number;
  /** Run this long after the last run even if nothing asked; default never. */
  readonly resyncMs?: number;
  readonly retry?: BackoffOptions;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onError?: (error: Error, attempt: number) => void;
}

export class SyncRunner {
  readonly #options: SyncRunnerOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #running: Promise<void> | undefined;
  /** Set while a run is wanted that has not started. */
  #pendingSince: number | undefined;
  /** The trigger that the run in progress serves. */
  #serving: number | undefined;
  #lastStart = -Infinity;
  #failures = 0;
  #lastSuccess: number | undefined;

  constructor(options: SyncRunnerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** When the oldest trigger came in (ms) for which no run has started; undefined: what is asked for is done, or being done. */
  get pendingSince(): number | undefined { return this.#pendingSince; }
  /** The same, with the trigger of a run in progress: what a health check looks at. A run may hang. */
  get unservedSince(): number | undefined { return this.#serving ?? this.#pendingSince; }
  get lastSuccess(): number | undefined { return this.#lastSuccess; }
  get failures(): number { return this.#failures; }

  /** Asks for a run. Many triggers before it starts are one. While failing, the back-off still decides when. */
  trigger(): void {
    if (this.#stop.signal.aborted) return;
    this.#pendingSince ??= this.#clock.now();
    if (this.#running === undefined && this.#failures === 0) this.#schedule(Math.max(0, this.#lastStart + (this.#options.minIntervalMs ?? 0) - this.#clock.now()));
  }

  /** Stops; resolves when a run in progress has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancel();
    await this.#running;
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
  }

  #schedule(ms: number): void {
    const at = this.#clock.now() + ms;
    if (at >= this.#timerAt) return;
    this.#cancel();
    this.#timerAt = at;
    if (ms > 0) {
      this.#cancelTimer = this.#clock.timer(ms, () => this.#start());
      return;
    }
    // No timer for "now": a timer costs a millisecond, which is more than a whole transaction.
    let cancelled = false;
    this.#cancelTimer = () => { cancelled = true; };
    queueMicrotask(() => { if (!cancelled) this.#start(); });
  }

  #start(): void {
    this.#cancel();
    if (this.#stop.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#next();
    });
  }

  async #run(): Promise<void> {
    this.#lastStart = this.#clock.now();
    const served = this.#pendingSince;
    this.#pendingSince = undefined;
    this.#serving = served ?? this.#lastStart;
    try {
      await this.#options.sync(this.#stop.signal);
      this.#failures = 0;
      this.#lastSuccess = this.#clock.now();
    } catch (error) {
      this.#pendingSince = served ?? this.#lastStart;
      if (!this.#stop.signal.aborted) this.#options.onError?.(error instanceof Error ? error : new Error(String(error)), this.#failures);
      this.#failures++;
    } finally {
      this.#serving = undefined;
    }
  }

  #next(): void {
    if (this.#stop.signal.aborted) return;
    const sinceStart = this.#clock.now() - this.#lastStart;
    const least = Math.max(0, (this.#options.minIntervalMs ?? 0) - sinceStart);
    if (this.#failures > 0) {
      const retry = { initialMs: 100, maxMs: 30_000, jitter: (this.#options.random ?? Math.random)(), ...this.#options.retry };
      this.#schedule(Math.max(least, backoffMs(this.#failures - 1, retry)));
    } else if (this.#pendingSince !== undefined) {
      this.#schedule(least);
    } else if (this.#options.resyncMs !== undefined) {
      this.#schedule(Math.max(least, this.#options.resyncMs));
    }
  }
}
