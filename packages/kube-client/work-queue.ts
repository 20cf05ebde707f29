// Keys to process: each at most once at a time, each again if it was added while being processed, failures later and later.
import { backoffMs, systemClock } from './clock.ts';
import type { BackoffOptions, Clock } from './clock.ts';

export interface WorkQueueOptions {
  /** Brings one key's object to its wanted state. A rejection retries the key with back-off. */
  readonly process: (key: string, signal: AbortSignal) => Promise<void>;
  /** Keys processed at the same time; default 1. */
  readonly concurrency?: number;
  readonly retry?: BackoffOptions;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onError?: (error: Error, key: string, attempt: number) => void;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  /** Waiting to be processed, in order of arrival; a key here is never twice. */
  readonly #ready = new Set<string>();
  readonly #active = new Map<string, Promise<void>>();
  /** Added again while active. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #idle = new Set<() => void>();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get size(): number { return this.#ready.size + this.#active.size; }

  add(key: string): void {
    if (this.#stop.signal.aborted) return;
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    if (this.#active.has(key)) this.#again.add(key);
    else this.#ready.add(key);
    this.#pump();
  }

  /** Adds the key after `ms`, or earlier if it is already due earlier. */
  addAfter(key: string, ms: number): void {
    if (this.#stop.signal.aborted) return;
    const at = this.#clock.now() + ms;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.at <= at) return;
    waiting?.cancel();
    this.#delayed.set(key, { at, cancel: this.#clock.timer(ms, () => this.add(key)) });
  }

  /** Resolves when nothing is ready or active (delayed keys do not count). */
  async whenIdle(): Promise<void> {
    if (this.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** Drops what waits and resolves when what runs has ended; `process` sees its signal aborted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
    await Promise.all(this.#active.values());
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#active.size >= (this.#options.concurrency ?? 1)) return;
      this.#ready.delete(key);
      this.#active.set(key, this.#one(key));
    }
  }

  async #one(key: string): Promise<void> {
    // After the caller's turn: `add` never runs the work inside itself.
    await Promise.resolve();
    try {
      await this.#options.process(key, this.#stop.signal);
      this.#failures.delete(key);
    } catch (error) {
      const attempt = this.#failures.get(key) ?? 0;
      this.#failures.set(key, attempt + 1);
      if (!this.#stop.signal.aborted) {
        this.#options.onError?.(error instanceof Error ? error : new Error(String(error)), key, attempt);
        this.addAfter(key, backoffMs(attempt, { initialMs: 50, maxMs: 30_000, jitter: (this.#options.random ?? Math.random)(), ...this.#options.retry }));
      }
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.#ready.add(key);
    this.#pump();
    if (this.size === 0) {
      for (const resolve of this.#idle) resolve();
      this.#idle.clear();
    }
  }
}
