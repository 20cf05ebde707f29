// The status of a ReplicaSet from its pods, pure.
import type { Pod, ReplicaSet } from '@podwire/kube-client';
import { kubeTime } from '@podwire/kube-client';
import { isPodAvailable, isPodReady } from '../shared/pods.ts';

/** `failure` is why pods could not be created, or undefined; it becomes condition ReplicaFailure. */
export function replicaSetStatus(set: ReplicaSet, active: readonly Pod[], nowMs: number, failure: string | undefined): NonNullable<ReplicaSet['status']> {
  const labels = Object.entries(set.spec?.template?.metadata?.labels ?? {});
  const minReady = set.spec?.minReadySeconds ?? 0;
  const former = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(({ metadata }) => labels.every(([key, value]) => metadata?.labels?.[key] === value)).length,
    readyReplicas: active.filter(isPodReady).length,
    availableReplicas: active.filter((pod) => isPodAvailable(pod, minReady, nowMs)).length,
    observedGeneration: set.metadata?.generation ?? 0,
    // Kept as it first was: the message names a pod that differs with every attempt, and a changed status would ask for the next attempt at once.
    ...(failure === undefined ? {} : { conditions: [former ?? { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure, lastTransitionTime: kubeTime(nowMs) }] }),
  };
}
