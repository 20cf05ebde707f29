// postStart and preStop.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '@podwire/kube-client';
import { runCheck } from '../probes/check.ts';
import type { CheckTarget } from '../probes/check.ts';

type Hook = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

/** Runs a hook; undefined when it went well, else why not. Never longer than `timeoutMs`. */
export async function runHook(hook: Hook, target: CheckTarget, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  const pause = (hook as { sleep?: { seconds: number } }).sleep;
  if (pause !== undefined) {
    await sleep(Math.min(pause.seconds * 1000, timeoutMs), undefined, { signal }).catch(() => undefined);
    return undefined;
  }
  return runCheck(hook, target, timeoutMs);
}
