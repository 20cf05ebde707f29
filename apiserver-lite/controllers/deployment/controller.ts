// Deployment: ReplicaSets that replace one another without a gap.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
import type { Deployment, ReplicaSet } from '@podwire/kube-client';
import { isAlreadyExists, keyOf, referenceTo, resources } from '@podwire/kube-client';
import { sameMeaning, shortHash } from '../shared/canonical.ts';
import { enqueueOn } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';
import { controllerOf, isControlledBy, ownerReferenceTo } from '../shared/pods.ts';
import { matchesSelector } from '../shared/selector.ts';
import { byAge, expiredSets, findNewReplicaSet, hashLabel, newSetAnnotations, nextRevision, revisionAnnotation, revisionOf, sizeAnnotations, desiredAnnotation } from './revision.ts';
import { newReplicaSetSize, oldReplicaSetSizes, proportionalSizes, resolveFence } from './rolling-update.ts';
import type { Fence, ReplicaCount } from './rolling-update.ts';
import { deadlineInMs, deploymentStatus } from './status.ts';

const countOf = (set: ReplicaSet): ReplicaCount => ({ name: set.metadata?.name ?? '', specReplicas: set.spec?.replicas ?? 0, availableReplicas: set.status?.availableReplicas ?? 0 });

function fenceOf(deployment: Deployment): Fence {
  const { strategy, replicas = 1 } = deployment.spec ?? {};
  if (strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: replicas };
  return resolveFence(strategy?.rollingUpdate?.maxSurge ?? '25%', strategy?.rollingUpdate?.maxUnavailable ?? '25%', replicas);
}

export function startDeploymentController(context: ControllerContext): void {
  const deployments = context.informer(resources.deployments);
  const replicaSets = context.informer(resources.replicaSets);
  const pods = context.informer(resources.pods);
  const events = context.recorder('deployment-controller');
  const queue = context.queue('deployment', async (key) => {
    await Promise.all([deployments, replicaSets, pods].map(async (informer) => informer.waitForSync(context.signal)));
    const deployment = deployments.store.byKey(key);
    if (deployment !== undefined && deployment.metadata?.deletionTimestamp === undefined) await sync(deployment, key);
  });

  /** Sets the Deployment controls, and orphans that its selector takes in. */
  async function ownSets(deployment: Deployment): Promise<ReplicaSet[]> {
    const own: ReplicaSet[] = [];
    for (const set of replicaSets.store.byIndex('namespace', deployment.metadata?.namespace ?? '')) {
      if (isControlledBy(set, deployment)) own.push(set);
      else if (controllerOf(set) === undefined && set.metadata?.deletionTimestamp === undefined && matchesSelector(deployment.spec?.selector, set.metadata?.labels)) {
        const { name = '', namespace = '', uid = '' } = set.metadata ?? {};
        own.push(await context.client.patch(resources.replicaSets, { name, namespace }, 'strategic', { metadata: { uid, ownerReferences: [ownerReferenceTo(deployment, 'apps/v1', 'Deployment')] } }));
      }
    }
    return own.sort(byAge);
  }

  async function resize(deployment: Deployment, set: ReplicaSet, replicas: number): Promise<ReplicaSet> {
    const from = set.spec?.replicas ?? 0;
    const annotations = { ...set.metadata?.annotations, ...sizeAnnotations(sizesOf(deployment)) };
    if (from === replicas && sameMeaning(annotations, set.metadata?.annotations)) return set;
    const changed = await context.client.update(resources.replicaSets, { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, selector: set.spec?.selector ?? {}, replicas } });
    const direction = replicas > from ? 'up' : 'down';
    if (from !== replicas) events.record(referenceTo(resources.deployments, deployment), 'Normal', 'ScalingReplicaSet', `Scaled ${direction} replica set ${set.metadata?.name ?? ''} from ${from} to ${replicas}`);
    return changed;
  }

  async function createSet(deployment: Deployment, key: string, replicas: number, revision: number): Promise<ReplicaSet | undefined> {
    const spec = deployment.spec;
    const hash = shortHash(spec?.template, deployment.status?.collisionCount ?? 0);
    const { name = '', namespace = '' } = deployment.metadata ?? {};
    const labels = { ...spec?.template.metadata?.labels, [hashLabel]: hash };
    const set: ReplicaSet = {
      metadata: { name: `${name}-${hash}`, namespace, labels, annotations: newSetAnnotations(deployment, undefined, revision, sizesOf(deployment)), ownerReferences: [ownerReferenceTo(deployment, 'apps/v1', 'Deployment')] },
      spec: {
        replicas,
        ...(spec?.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
        selector: { ...spec?.selector, matchLabels: { ...spec?.selector.matchLabels, [hashLabel]: hash } },
        template: { ...spec?.template, metadata: { ...spec?.template.metadata, labels } },
      },
    };
    try {
      const made = await context.client.create(resources.replicaSets, set);
      events.record(referenceTo(resources.deployments, deployment), 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${made.metadata?.name ?? ''} from 0 to ${replicas}`);
      return made;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const there = await context.client.get(resources.replicaSets, { namespace, name: `${name}-${hash}` });
      if (isControlledBy(there, deployment) && findNewReplicaSet(deployment, [there]) !== undefined) return there;
      // Another template hashes to this name: count it, and the next pass takes another hash.
      await context.client.updateStatus(resources.deployments, { ...deployment, status: { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 } });
      queue.add(key);
      return undefined;
    }
  }

  async function sync(deployment: Deployment, key: string): Promise<void> {
    let sets = await ownSets(deployment);
    let fresh = findNewReplicaSet(deployment, sets);
    const replicas = deployment.spec?.replicas ?? 1;
    const fence = fenceOf(deployment);
    const old = (): ReplicaSet[] => sets.filter((set) => set.metadata?.uid !== fresh?.metadata?.uid);
    const replace = (changed: ReplicaSet): void => {
      sets = sets.map((set) => (set.metadata?.uid === changed.metadata?.uid ? changed : set));
      if (fresh?.metadata?.uid === changed.metadata?.uid) fresh = changed;
    };
    const resizeAll = async (sizes: ReadonlyMap<string, number>): Promise<void> => {
      for (const set of sets) {
        const size = sizes.get(set.metadata?.name ?? '');
        if (size !== undefined) replace(await resize(deployment, set, size));
      }
    };
    const scaled = scalingTotal(deployment, sets);
    if (deployment.spec?.paused === true || scaled !== undefined) {
      const active = sets.filter(({ spec }) => (spec?.replicas ?? 0) > 0);
      const only = active.length === 0 ? fresh : active.length === 1 ? active[0] : undefined;
      if (only !== undefined) replace(await resize(deployment, only, replicas));
      else if (scaled !== undefined) {
        const sizes = proportionalSizes(replicas, fence, active.map(countOf), scaled);
        // Those that keep their size are written too: their annotation must name the new total, or this branch would never end.
        await resizeAll(new Map(active.map((set) => [set.metadata?.name ?? '', sizes.get(set.metadata?.name ?? '') ?? set.spec?.replicas ?? 0])));
      }
    } else if (deployment.spec?.strategy?.type === 'Recreate') {
      await resizeAll(new Map(old().map((set) => [set.metadata?.name ?? '', 0])));
      if (old().every((set) => podsOf(set) === 0)) await ensureNew(replicas);
    } else {
      await ensureNew(newReplicaSetSize(replicas, fence, fresh === undefined ? { name: '', specReplicas: 0, availableReplicas: 0 } : countOf(fresh), old().map(countOf)));
      if (fresh !== undefined) await resizeAll(oldReplicaSetSizes(replicas, fence, countOf(fresh), old().filter(({ spec }) => (spec?.replicas ?? 0) > 0).map(countOf)));
    }
    await writeStatus();

    /** Creates the ReplicaSet of the current template, or brings its size, revision and annotations up to date. */
    async function ensureNew(size: number): Promise<void> {
      const revision = nextRevision(sets, fresh);
      if (fresh === undefined) {
        fresh = await createSet(deployment, key, size, revision);
        if (fresh !== undefined) sets = [...sets, fresh];
        return;
      }
      const annotations = newSetAnnotations(deployment, fresh, revision, sizesOf(deployment));
      if (!sameMeaning(annotations, fresh.metadata?.annotations)) replace(await context.client.update(resources.replicaSets, { ...fresh, metadata: { ...fresh.metadata, annotations } }));
      replace(await resize(deployment, fresh, size));
    }

    /** Pods of a set that still exist in any form: a Recreate waits until all are gone. */
    function podsOf(set: ReplicaSet): number {
      return pods.store.byIndex('owner', set.metadata?.uid ?? '').filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed').length;
    }

    async function writeStatus(): Promise<void> {
      const nowMs = context.clock.now();
      const revision = String(revisionOf(fresh ?? {}));
      let current = deployment;
      if (fresh !== undefined && deployment.metadata?.annotations?.[revisionAnnotation] !== revision) {
        const { name = '', namespace = '' } = deployment.metadata ?? {};
        current = await context.client.patch(resources.deployments, { name, namespace }, 'merge', { metadata: { annotations: { [revisionAnnotation]: revision } } });
      }
      const status = deploymentStatus(deployment, fresh, sets, nowMs);
      if (!sameMeaning(status, deployment.status)) await context.client.updateStatus(resources.deployments, { ...current, status });
      const complete = status.conditions?.some(({ type, reason }) => type === 'Progressing' && reason === 'NewReplicaSetAvailable') === true;
      if (complete) await removeExpired();
      const left = deadlineInMs(deployment, status, nowMs);
      if (left !== undefined && left > 0) queue.addAfter(key, left + 100);
    }

    async function removeExpired(): Promise<void> {
      for (const { metadata } of expiredSets(old(), deployment.spec?.revisionHistoryLimit ?? 10)) {
        await context.client.deleteIfThere(resources.replicaSets, { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }, metadata?.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
      }
    }
  }

  enqueueOn(deployments, queue);
  const enqueueOwner = (set: ReplicaSet): void => {
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment') queue.add(`${set.metadata?.namespace ?? ''}/${owner.name}`);
    else if (owner === undefined) for (const deployment of deployments.store.byIndex('namespace', set.metadata?.namespace ?? '')) if (matchesSelector(deployment.spec?.selector, set.metadata?.labels)) queue.add(keyOf(deployment));
  };
  replicaSets.on({ add: enqueueOwner, update: enqueueOwner, delete: enqueueOwner });
  // A Recreate goes on when the last old pod is gone, which no ReplicaSet event need announce.
  pods.on({ delete: (pod) => {
    const set = replicaSets.store.byKey(`${pod.metadata?.namespace ?? ''}/${controllerOf(pod)?.name ?? ''}`);
    if (set !== undefined) enqueueOwner(set);
  } });
}

const sizesOf = (deployment: Deployment): { desired: number; max: number } => ({ desired: deployment.spec?.replicas ?? 1, max: (deployment.spec?.replicas ?? 1) + fenceOf(deployment).maxSurge });

/** When the Deployment was scaled since its ReplicaSets were sized: the total they were sized for. Else undefined. */
function scalingTotal(deployment: Deployment, sets: readonly ReplicaSet[]): number | undefined {
  const wanted = deployment.spec?.replicas ?? 1;
  for (const set of sets.filter(({ spec }) => (spec?.replicas ?? 0) > 0)) {
    const desired = Number(set.metadata?.annotations?.[desiredAnnotation] ?? Number.NaN);
    if (Number.isInteger(desired) && desired !== wanted) return sets.reduce((sum, { spec }) => sum + (spec?.replicas ?? 0), 0);
  }
  return undefined;
}
