// Watches the node's memory and disk; ends one pod at a time while there is too little.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PodManager } from '../manager.ts';
import type { ContainerRuntime } from '../runtime/runtime.ts';
import { evictionMessage, evictionOrder, mayBeEvicted } from './eviction.ts';
import type { Usage } from './eviction.ts';
import { readPressure } from './machine.ts';
import type { Pressure } from './machine.ts';
import { diskThreshold, hasDiskPressure, hasMemoryPressure, memoryThresholdBytes } from './status.ts';

export interface PressureOptions {
  readonly rootDir: string;
  readonly manager: PodManager;
  readonly runtime: ContainerRuntime;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Pressure began or ended: the node's conditions change. */
  readonly changed: () => void;
  readonly read?: (rootDir: string) => Promise<Pressure>;
}

const everyMs = 10_000;

export async function watchPressure(options: PressureOptions): Promise<void> {
  const { rootDir, log, signal } = options;
  let was = false;
  while (!signal.aborted) {
    const pressure = await (options.read ?? readPressure)(rootDir);
    const is = hasMemoryPressure(pressure) || hasDiskPressure(pressure);
    if (is !== was) options.changed();
    was = is;
    if (is) await relieve(options, pressure).catch((error: unknown) => log.warn({ err: error }, 'no pod could be evicted'));
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function relieve({ manager, runtime, log, signal }: PressureOptions, pressure: Pressure): Promise<void> {
  const usages: Usage[] = [];
  for (const worker of manager.workers) {
    if (worker.ended !== undefined || !mayBeEvicted(worker.pod)) continue;
    const running = worker.observed.containers.filter((one) => one.state === 'running');
    if (running.length === 0) continue;
    const stats = await Promise.all(running.map((one) => runtime.containers.stats(one.id, signal)));
    usages.push({ pod: worker.pod, memoryBytes: stats.reduce((sum, one) => sum + one.memoryWorkingSetBytes, 0) });
  }
  const [first] = evictionOrder(usages);
  if (first === undefined) return;
  const message = hasMemoryPressure(pressure)
    ? evictionMessage('memory', first, pressure.memoryAvailableBytes, memoryThresholdBytes)
    : evictionMessage('ephemeral-storage', first, pressure.diskAvailableBytes, pressure.diskBytes * diskThreshold);
  log.warn({ pod: first.pod.metadata?.name }, message);
  manager.worker(first.pod.metadata?.uid ?? '')?.end('Evicted', message);
}
