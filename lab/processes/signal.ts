// Ending processes: ask with SIGTERM, insist with SIGKILL, and come back only when they are gone.
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './proc.ts';
import type { ProcessId } from './proc.ts';

export function sendSignal(process_: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(process_)) return;
  try {
    process.kill(process_.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** True when all ended within the time. */
export async function waitGone(processes: readonly ProcessId[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

/** Ends these processes; those that ignore SIGTERM for `graceMs` are killed. Throws when one survives even that. */
export async function endProcesses(processes: readonly ProcessId[], graceMs: number): Promise<void> {
  if (graceMs > 0) {
    for (const one of processes) sendSignal(one, 'SIGTERM');
    if (await waitGone(processes, graceMs)) return;
  }
  for (const one of processes) sendSignal(one, 'SIGKILL');
  if (await waitGone(processes, 5000)) return;
  throw new Error(`process ${processes.filter(isAlive).map(({ pid }) => pid).join(', ')} does not end, not even with SIGKILL`);
}
