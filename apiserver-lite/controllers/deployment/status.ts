// The status of a Deployment from its ReplicaSets, pure: counts, and the conditions that `kubectl rollout status` reads.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
import type { Deployment, ReplicaSet } from '@podwire/kube-client';
import { kubeTime } from '@podwire/kube-client';
import { resolveFence } from './rolling-update.ts';

type Status = NonNullable<Deployment['status']>;
type Condition = NonNullable<Status['conditions']>[number];

const total = (sets: readonly ReplicaSet[], pick: (status: NonNullable<ReplicaSet['status']>) => number | undefined): number =>
  sets.reduce((sum, { status }) => sum + (status === undefined ? 0 : (pick(status) ?? 0)), 0);

/** Replaces the condition of its type; the transition time moves only when the status does, the update time when anything does. */
function withCondition(conditions: readonly Condition[], next: Omit<Condition, 'lastTransitionTime' | 'lastUpdateTime'>, nowMs: number, touched: boolean): Condition[] {
  const former = conditions.find(({ type }) => type === next.type);
  const same = former?.status === next.status && former.reason === next.reason;
  if (former !== undefined && same && !touched && former.message === next.message) return [...conditions];
  const now = kubeTime(nowMs);
  const made: Condition = { ...next, lastUpdateTime: same && !touched ? (former.lastUpdateTime ?? now) : now, lastTransitionTime: former?.status === next.status ? (former.lastTransitionTime ?? now) : now };
  return [...conditions.filter(({ type }) => type !== next.type), made];
}

const isComplete = (deployment: Deployment, status: Status): boolean => {
  const wanted = deployment.spec?.replicas ?? 1;
  return status.updatedReplicas === wanted && status.replicas === wanted && status.availableReplicas === wanted && (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);
};

/** Pods moved from old to new, went away, or became ready: the rollout is getting on. */
function hasProgressed(before: Status, now: Status): boolean {
  const count = (value: number | undefined): number => value ?? 0;
  const oldPods = (status: Status): number => count(status.replicas) - count(status.updatedReplicas);
  return count(now.updatedReplicas) > count(before.updatedReplicas) || oldPods(now) < oldPods(before) || count(now.readyReplicas) > count(before.readyReplicas) || count(now.availableReplicas) > count(before.availableReplicas);
}

/** Milliseconds until the progress deadline runs out; `undefined` when none runs. */
export function deadlineInMs(deployment: Deployment, status: Status, nowMs: number): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (seconds === undefined || deployment.spec?.paused === true || progressing?.lastUpdateTime === undefined || isComplete(deployment, status) || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  return Date.parse(progressing.lastUpdateTime) + seconds * 1000 - nowMs;
}

function progressCondition(deployment: Deployment, fresh: ReplicaSet | undefined, status: Status, nowMs: number): Pick<Condition, 'status' | 'reason' | 'message'> {
  const former = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  const name = fresh?.metadata?.name ?? '';
  if (deployment.spec?.paused === true) return { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  if (isComplete(deployment, status)) return { status: 'True', reason: 'NewReplicaSetAvailable', message: `ReplicaSet "${name}" has successfully progressed.` };
  if (hasProgressed(deployment.status ?? {}, status)) return { status: 'True', reason: 'ReplicaSetUpdated', message: `ReplicaSet "${name}" is progressing.` };
  // A Deployment that had finished and lost a pod is not a stuck rollout: only a new version restarts the clock.
  const sameVersion = former?.message?.includes(`"${name}"`) === true;
  if (former?.reason === 'NewReplicaSetAvailable' && sameVersion) return { status: former.status, reason: former.reason, message: former.message ?? '' };
  const left = deadlineInMs(deployment, { ...status, conditions: former === undefined ? [] : [former] }, nowMs);
  if (left !== undefined && left <= 0 && sameVersion) return { status: 'False', reason: 'ProgressDeadlineExceeded', message: `ReplicaSet "${name}" has timed out progressing.` };
  if (former?.reason === 'ProgressDeadlineExceeded' && sameVersion) return { status: 'False', reason: former.reason, message: former.message ?? '' };
  return { status: 'True', reason: 'ReplicaSetUpdated', message: `ReplicaSet "${name}" is progressing.` };
}

export function deploymentStatus(deployment: Deployment, fresh: ReplicaSet | undefined, sets: readonly ReplicaSet[], nowMs: number): Status {
  const wanted = deployment.spec?.replicas ?? 1;
  const available = total(sets, ({ availableReplicas }) => availableReplicas);
  const counts: Status = {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas: total(sets, ({ replicas }) => replicas),
    updatedReplicas: fresh === undefined ? 0 : total([fresh], ({ replicas }) => replicas),
    readyReplicas: total(sets, ({ readyReplicas }) => readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(sets, ({ replicas }) => replicas) - available, wanted - available),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const { maxUnavailable } = deployment.spec?.strategy?.type === 'Recreate' ? { maxUnavailable: wanted } : resolveFence(rolling?.maxSurge ?? '25%', rolling?.maxUnavailable ?? '25%', wanted);
  const enough = available >= wanted - maxUnavailable;
  let conditions = withCondition(deployment.status?.conditions ?? [], {
    type: 'Available', status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: enough ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.',
  }, nowMs, false);
  const progress = progressCondition(deployment, fresh, counts, nowMs);
  conditions = withCondition(conditions, { type: 'Progressing', ...progress }, nowMs, progress.reason === 'ReplicaSetUpdated' && hasProgressed(deployment.status ?? {}, counts));
  const failed = fresh?.status?.conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  if (failed === undefined) conditions = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  else conditions = withCondition(conditions, { type: 'ReplicaFailure', status: 'True', reason: failed.reason ?? '', message: failed.message ?? '' }, nowMs, false);
  return { ...counts, conditions };
}
