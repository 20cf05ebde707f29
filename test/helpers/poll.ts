// Waiting for a condition with a deadline. Tests never sleep for a fixed time: they wait for what they need to see.
import { setTimeout as delay } from 'node:timers/promises';

export interface PollOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Calls `look` until it gives something other than undefined or false, and returns that. After the deadline it throws, with the
 * last error of `look` if it threw.
 */
export async function eventually<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>, options: PollOptions = {}): Promise<T> {
  const { timeoutMs = 30_000, intervalMs = 50 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: Error | undefined;
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error instanceof Error ? error : new Error(String(error));
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}${last === undefined ? '' : `: ${last.message}`}`, { cause: last });
    await delay(intervalMs);
  }
}
