// Pod garbage: pods whose node is gone can never report again and are removed by force; of finished pods only the newest are kept.
import type { Pod } from '@podwire/kube-client';
import { keyOf, resources } from '@podwire/kube-client';
import type { ControllerContext } from '../shared/context.ts';
import { every } from '../shared/context.ts';

const checkEveryMs = 20_000;
/** A node may be re-created (a lab's restart) before its pods count as lost. */
const quarantineMs = 40_000;
const finishedKept = 1000;

/** Finished pods beyond the number kept, oldest first. */
export function excessFinished(pods: readonly Pod[], keep: number): readonly Pod[] {
  const finished = pods.filter(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
  const ordered = [...finished].sort((a, b) => Date.parse(a.metadata?.creationTimestamp ?? '') - Date.parse(b.metadata?.creationTimestamp ?? ''));
  return ordered.slice(0, Math.max(0, ordered.length - keep));
}

export function startPodGarbageCollector(context: ControllerContext): void {
  const pods = context.informer(resources.pods);
  const nodes = context.informer(resources.nodes);
  const missingSinceMs = new Map<string, number>();

  const queue = context.queue('pod-gc', async (key) => {
    const pod = pods.store.byKey(key);
    if (pod === undefined) return;
    const { name = '', namespace = '', uid } = pod.metadata ?? {};
    await context.client.deleteIfThere(resources.pods, { name, namespace }, { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) });
  });

  every(context, checkEveryMs, () => {
    if (!pods.hasSynced || !nodes.hasSynced) return;
    const nowMs = performance.now();
    const absent = new Set(pods.store.list().map(({ spec }) => spec?.nodeName).filter((name): name is string => name !== undefined && nodes.store.byKey(name) === undefined));
    for (const name of missingSinceMs.keys()) if (!absent.has(name)) missingSinceMs.delete(name);
    for (const name of absent) if (!missingSinceMs.has(name)) missingSinceMs.set(name, nowMs);
    for (const pod of pods.store.list()) {
      const since = missingSinceMs.get(pod.spec?.nodeName ?? '');
      const leavesUnassigned = pod.spec?.nodeName === undefined && pod.metadata?.deletionTimestamp !== undefined;
      if (leavesUnassigned || (since !== undefined && nowMs - since > quarantineMs)) queue.add(keyOf(pod));
    }
    for (const pod of excessFinished(pods.store.list(), finishedKept)) queue.add(keyOf(pod));
  });
}
