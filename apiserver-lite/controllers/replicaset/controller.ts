// ReplicaSet: as many pods as asked. https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
import type { EventRecorder, Pod, ReplicaSet } from '@podwire/kube-client';
import { ApiError, isNotFound, keyOf, referenceTo, resources } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';
import { enqueueOn } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';
import { Expectations } from '../shared/expectations.ts';
import { controllerOf, isControlledBy, isPodActive, ownerReferenceTo, readySinceMs } from '../shared/pods.ts';
import { matchesSelector } from '../shared/selector.ts';
import { rankForDeletion } from './ranking.ts';
import { replicaSetStatus } from './status.ts';

/** Pods made or deleted in one pass; the rest follow when the cache has seen these. */
const burst = 500;

export function startReplicaSetController(context: ControllerContext): void {
  const sets = context.informer(resources.replicaSets);
  const pods = context.informer(resources.pods);
  const expectations = new Expectations();
  const events = context.recorder('replicaset-controller');
  const queue = context.queue('replicaset', async (key) => {
    await Promise.all([sets.waitForSync(context.signal), pods.waitForSync(context.signal)]);
    const set = sets.store.byKey(key);
    if (set === undefined) expectations.forget(key);
    else await sync(set, key);
  });

  /** Pods of the set: those it controls, and orphans that its selector takes in. */
  async function ownPods(set: ReplicaSet): Promise<readonly Pod[]> {
    const own: Pod[] = [];
    for (const pod of pods.store.byIndex('namespace', set.metadata?.namespace ?? '')) {
      if (isControlledBy(pod, set)) own.push(pod);
      else if (controllerOf(pod) === undefined && isPodActive(pod) && matchesSelector(set.spec?.selector, pod.metadata?.labels) && set.metadata?.deletionTimestamp === undefined) own.push(await adopt(context, set, pod));
    }
    return own;
  }

  async function sync(set: ReplicaSet, key: string): Promise<void> {
    const nowMs = context.clock.now();
    const owned = await ownPods(set);
    const byUid = new Map(owned.map((pod) => [pod.metadata?.uid ?? '', pod]));
    const settled = expectations.fulfilled(key, nowMs, (uid) => byUid.has(uid), (uid) => byUid.get(uid)?.metadata?.deletionTimestamp !== undefined);
    const active = owned.filter(isPodActive);
    let failure: string | undefined;
    if (settled && set.metadata?.deletionTimestamp === undefined) {
      const missing = (set.spec?.replicas ?? 1) - active.length;
      if (missing > 0) failure = await createPods({ context, events, expectations }, set, key, Math.min(missing, burst));
      else if (missing < 0) await deletePods({ context, events, expectations }, set, key, rankForDeletion(active, active, nowMs).slice(0, Math.min(-missing, burst)));
    }
    const status = replicaSetStatus(set, active, nowMs, failure);
    if (!sameMeaning(status, set.status)) await context.client.updateStatus(resources.replicaSets, { ...set, status });
    const minReadyMs = (set.spec?.minReadySeconds ?? 0) * 1000;
    if (minReadyMs > 0) {
      const due = active.map(readySinceMs).filter((since) => since !== undefined && since + minReadyMs > nowMs).map((since) => (since ?? 0) + minReadyMs - nowMs);
      if (due.length > 0) queue.addAfter(key, Math.min(...due) + 50);
    }
    if (failure !== undefined) throw new Error(failure);
  }

  enqueueOn(sets, queue);
  const enqueueOwner = (pod: Pod): void => {
    const owner = controllerOf(pod);
    if (owner?.kind === 'ReplicaSet') queue.add(`${pod.metadata?.namespace ?? ''}/${owner.name}`);
    else if (owner === undefined) {
      for (const set of sets.store.byIndex('namespace', pod.metadata?.namespace ?? '')) if (matchesSelector(set.spec?.selector, pod.metadata?.labels)) queue.add(keyOf(set));
    }
  };
  pods.on({ add: enqueueOwner, delete: enqueueOwner, update: (pod, old) => {
    enqueueOwner(pod);
    if (controllerOf(old)?.uid !== controllerOf(pod)?.uid) enqueueOwner(old);
  } });
}

interface Hands {
  readonly context: ControllerContext;
  readonly events: EventRecorder;
  readonly expectations: Expectations;
}

/** Makes the set the pod's controller; the uid in the patch makes the server refuse when the pod was replaced meanwhile. */
async function adopt(context: ControllerContext, set: ReplicaSet, pod: Pod): Promise<Pod> {
  const owner = ownerReferenceTo(set, 'apps/v1', 'ReplicaSet');
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  return context.client.patch(resources.pods, { name, namespace }, 'strategic', { metadata: { uid, ownerReferences: [owner] } });
}

/** Creates pods from the template; returns the reason when the API server refuses one (quota, validation). */
async function createPods({ context, events, expectations }: Hands, set: ReplicaSet, key: string, count: number): Promise<string | undefined> {
  const template = set.spec?.template;
  const { namespace = '', name = '' } = set.metadata ?? {};
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template?.metadata, generateName: `${name}-`, namespace, ownerReferences: [ownerReferenceTo(set, 'apps/v1', 'ReplicaSet')] },
    ...(template?.spec === undefined ? {} : { spec: template.spec }),
  };
  const results = await Promise.allSettled(Array.from({ length: count }, async () => {
    const created = await context.client.create(resources.pods, pod);
    expectations.expect(key, 'created', created.metadata?.uid ?? '', context.clock.now());
    events.record(referenceTo(resources.replicaSets, set), 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata?.name ?? ''}`);
  }));
  const refused = results.find((result) => result.status === 'rejected');
  if (refused === undefined) return undefined;
  const reason: unknown = refused.reason;
  if (!(reason instanceof ApiError)) throw reason;
  const message = reason.status.message ?? reason.message;
  events.record(referenceTo(resources.replicaSets, set), 'Warning', 'FailedCreate', `Error creating: ${message}`);
  return message;
}

async function deletePods({ context, events, expectations }: Hands, set: ReplicaSet, key: string, victims: readonly Pod[]): Promise<void> {
  await Promise.all(victims.map(async ({ metadata: { name = '', namespace = '', uid = '' } = {} }) => {
    expectations.expect(key, 'deleted', uid, context.clock.now());
    try {
      await context.client.delete(resources.pods, { name, namespace }, { preconditions: { uid } });
      events.record(referenceTo(resources.replicaSets, set), 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (!isNotFound(error)) {
        expectations.forget(key);
        throw error;
      }
    }
  }));
}

