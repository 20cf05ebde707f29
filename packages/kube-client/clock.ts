// Time as a dependency: everything here that waits takes a Clock, so that tests decide when time passes.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `run` once after `ms`; the returned function cancels it. */
  timer(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  timer: (ms, run) => {
    const handle = setTimeout(run, ms);
    return () => clearTimeout(handle);
  },
};

/** A clock that moves only when told: `advance(ms)` runs what became due, in order. For tests. */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  constructor(now = 0) { this.#now = now; }

  now(): number { return this.#now; }

  timer(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, run };
    this.#timers.add(entry);
    return () => void this.#timers.delete(entry);
  }

  /** Timers that wait, soonest first, in milliseconds from now. */
  get pending(): readonly number[] { return [...this.#timers].map((entry) => entry.at - this.#now).sort((a, b) => a - b); }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = due.at;
      due.run();
    }
    this.#now = end;
  }
}

/** Resolves after `ms` on `clock`; rejects with the signal's reason when it aborts first. */
export async function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError'));
    };
    const cancel = clock.timer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** 0..1, from the caller: randomness is an input. Default 0 (no jitter). */
  readonly jitter?: number;
}

/** Exponential back-off: attempt 0 gives initialMs, each further one doubles it up to maxMs; jitter adds up to a half. */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const base = Math.min(options.maxMs, options.initialMs * 2 ** Math.min(attempt, 30));
  return Math.round(base * (1 + (options.jitter ?? 0) / 2));
}

/** `signal.aborted`, asked anew: the type checker otherwise believes that it cannot change across an await. */
export function aborted(signal: AbortSignal): boolean { return signal.aborted; }
