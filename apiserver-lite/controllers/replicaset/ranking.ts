// Which pods a ReplicaSet gives up first when it shrinks, pure.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
import type { Pod } from '@podwire/kube-client';
import { isPodReady, readySinceMs } from '../shared/pods.ts';

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

const deletionCost = (pod: Pod): number => {
  const cost = Number(pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '0');
  return Number.isInteger(cost) ? cost : 0;
};

const restarts = (pod: Pod): number => Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));

const createdMs = (pod: Pod): number => (pod.metadata?.creationTimestamp === undefined ? Infinity : Date.parse(pod.metadata.creationTimestamp));

/** Ages compared on a scale of powers of two, as the ReplicaSet controller does: a few seconds' difference does not matter. */
const logAge = (sinceMs: number, nowMs: number): number => Math.floor(Math.log2(Math.max(1, (nowMs - sinceMs) / 1000)));

/**
 * The pods in the order in which they are given up: unassigned, pending, not ready, cheaper, more co-located with
 * `related` pods (of the same owner) on their node, ready more recently, restarted more often, created more recently.
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], nowMs: number): readonly Pod[] {
  const perNode = new Map<string, number>();
  for (const { spec } of related) perNode.set(spec?.nodeName ?? '', (perNode.get(spec?.nodeName ?? '') ?? 0) + 1);
  const coLocated = (pod: Pod): number => perNode.get(pod.spec?.nodeName ?? '') ?? 0;
  const criteria: readonly ((pod: Pod) => number)[] = [
    (pod) => (pod.spec?.nodeName === undefined ? 0 : 1),
    (pod) => phaseRank[pod.status?.phase ?? 'Pending'] ?? 1,
    (pod) => (isPodReady(pod) ? 1 : 0),
    deletionCost,
    (pod) => -coLocated(pod),
    (pod) => logAge(readySinceMs(pod) ?? nowMs, nowMs),
    (pod) => -restarts(pod),
    (pod) => logAge(createdMs(pod), nowMs),
    (pod) => -createdMs(pod),
  ];
  return [...pods].sort((a, b) => {
    for (const criterion of criteria) {
      const difference = criterion(a) - criterion(b);
      if (difference !== 0 && !Number.isNaN(difference)) return difference;
    }
    return (a.metadata?.uid ?? '') < (b.metadata?.uid ?? '') ? -1 : 1;
  });
}
