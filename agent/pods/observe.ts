// One look at a pod: what the engine has of it, and whether its network is complete.
import { labels } from '../labels.ts';
import type { PodDeps } from './deps.ts';
import { attemptOf } from './observed.ts';
import type { Observed } from './observed.ts';
import { readNetworkRecord } from './pod-record.ts';
import { nodeLabels } from './specs.ts';

export async function observePod(deps: Pick<PodDeps, 'runtime' | 'volumes' | 'settings'>, uid: string, signal: AbortSignal): Promise<Observed> {
  const all = await deps.runtime.containers.list({ ...nodeLabels(deps.settings), [labels.podUid]: uid }, signal);
  return {
    sandboxes: all.filter((one) => one.role === 'sandbox').sort((a, b) => attemptOf(b) - attemptOf(a)),
    containers: all.filter((one) => one.role === 'container'),
    network: await readNetworkRecord(deps.volumes.podDir(uid)),
  };
}
