// When a container that ended may start again: at once the first time, then after 10 s, 20 s, ... 300 s; ten good minutes forgive everything.
import { labels } from '../labels.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';

const baseMs = 10_000;
const maxMs = 300_000;
const forgivenAfterMs = 600_000;

/** Delay before retry number `count` (1 is the first). */
export function backoffMs(count: number): number {
  return count <= 0 ? 0 : Math.min(baseMs * 2 ** (count - 1), maxMs);
}

/** Number of quick restarts in a row that led to this attempt; carried on the container so that it survives the agent. */
export function crashCount(container: RuntimeContainer): number {
  return Number(container.labels[labels.crashCount] ?? 0);
}

export function endedAt(container: RuntimeContainer): number {
  return container.finishedAt === 0 ? container.createdAt : container.finishedAt;
}

function ranWell(container: RuntimeContainer): boolean {
  return container.startedAt !== 0 && endedAt(container) - container.startedAt >= forgivenAfterMs;
}

/** The crash count that the successor of an ended container carries. */
export function nextCrashCount(previous: RuntimeContainer | undefined): number {
  if (previous === undefined || ranWell(previous)) return 0;
  return crashCount(previous) + 1;
}

/** The instant (ms since 1970) from which an ended container may be started again. */
export function restartAt(ended: RuntimeContainer): number {
  return endedAt(ended) + (ranWell(ended) ? 0 : backoffMs(crashCount(ended)));
}
