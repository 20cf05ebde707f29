// Garbage collection by owner references: what nobody owns any more goes; foreground deletion waits for the dependents,
// orphaning lets them go. https://kubernetes.io/docs/concepts/architecture/garbage-collection/
import type { Informer, KubeObject, OwnerReference, ResourceDescriptor } from '@podwire/kube-client';
import { isConflict, isNotFound } from '@podwire/kube-client';
import type { ControllerContext } from '../shared/context.ts';
import { every } from '../shared/context.ts';
import { collectableResources, slim } from './resources.ts';

const rediscoverEveryMs = 30_000;
const foreground = 'foregroundDeletion';
const orphan = 'orphan';

interface Tracked {
  readonly resource: ResourceDescriptor;
  readonly object: KubeObject;
}

/** Everything in the cluster that can own or be owned, found by uid. */
class Graph {
  readonly byUid = new Map<string, Tracked>();
  readonly #dependents = new Map<string, Set<string>>();

  put(tracked: Tracked): void {
    const uid = tracked.object.metadata?.uid ?? '';
    this.remove(uid);
    this.byUid.set(uid, tracked);
    for (const { uid: owner } of tracked.object.metadata?.ownerReferences ?? []) this.#dependents.set(owner, (this.#dependents.get(owner) ?? new Set()).add(uid));
  }

  remove(uid: string): void {
    for (const { uid: owner } of this.byUid.get(uid)?.object.metadata?.ownerReferences ?? []) {
      const set = this.#dependents.get(owner);
      set?.delete(uid);
      if (set?.size === 0) this.#dependents.delete(owner);
    }
    this.byUid.delete(uid);
  }

  dependentsOf(uid: string): readonly Tracked[] {
    return [...(this.#dependents.get(uid) ?? [])].map((one) => this.byUid.get(one)).filter((one) => one !== undefined);
  }
}

export function startGarbageCollector(context: ControllerContext): void {
  const graph = new Graph();
  const followed = new Map<string, Informer<KubeObject>>();
  const queue = context.queue('garbage-collector', async (uid) => {
    const tracked = graph.byUid.get(uid);
    if (tracked === undefined) return;
    const { finalizers = [], deletionTimestamp } = tracked.object.metadata ?? {};
    if (deletionTimestamp !== undefined && finalizers.includes(foreground)) await deleteForeground(tracked);
    else if (deletionTimestamp !== undefined && finalizers.includes(orphan)) await releaseDependents(tracked);
    else if (deletionTimestamp === undefined) await collectIfUnowned(tracked);
  });

  /** Deletes those dependents that block, and lets the owner go when none is left. */
  async function deleteForeground(owner: Tracked): Promise<void> {
    const uid = owner.object.metadata?.uid ?? '';
    const dependents = graph.dependentsOf(uid);
    const blocking = dependents.filter(({ object }) => object.metadata?.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion === true));
    for (const one of dependents) if (one.object.metadata?.deletionTimestamp === undefined) await remove(one, 'Foreground');
    if (blocking.length === 0) await dropFinalizer(owner, foreground);
  }

  async function releaseDependents(owner: Tracked): Promise<void> {
    const uid = owner.object.metadata?.uid ?? '';
    for (const { resource, object } of graph.dependentsOf(uid)) {
      const left = (object.metadata?.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
      await unlessGone(async () => context.client.patch(resource, nameOf(object), 'merge', { metadata: { uid: object.metadata?.uid, ownerReferences: left } }));
    }
    await dropFinalizer(owner, orphan);
  }

  /** An object whose owners are all gone goes too. The API server is asked, not the cache, before anything is deleted. */
  async function collectIfUnowned(tracked: Tracked): Promise<void> {
    const owners = tracked.object.metadata?.ownerReferences ?? [];
    if (owners.length === 0 || owners.some(({ uid }) => isAlive(uid))) return;
    for (const owner of owners) if (await existsOnServer(owner, tracked.object.metadata?.namespace)) return;
    context.log.info({ kind: tracked.resource.kind, object: nameOf(tracked.object) }, 'collecting: its owners are gone');
    await remove(tracked, 'Background');
  }

  const isAlive = (uid: string): boolean => {
    const owner = graph.byUid.get(uid)?.object.metadata;
    return owner !== undefined && !(owner.deletionTimestamp !== undefined && owner.finalizers?.includes(foreground) === true);
  };

  async function existsOnServer(owner: OwnerReference, namespace: string | undefined): Promise<boolean> {
    const resource = [...followed.keys()].map((key) => descriptors.get(key)).find((one) => one?.kind === owner.kind && (one.group === '' ? one.version : `${one.group}/${one.version}`) === owner.apiVersion);
    // An owner of a kind that this server does not know may exist elsewhere: keep the object.
    if (resource === undefined) return true;
    try {
      const found = await context.client.get(resource, { name: owner.name, ...(resource.namespaced && namespace !== undefined ? { namespace } : {}) });
      return found.metadata?.uid === owner.uid && isAlive(owner.uid);
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async function remove({ resource, object }: Tracked, propagationPolicy: 'Foreground' | 'Background'): Promise<void> {
    const uid = object.metadata?.uid;
    await unlessGone(async () => context.client.delete(resource, nameOf(object), { propagationPolicy, ...(uid === undefined ? {} : { preconditions: { uid } }) }));
  }

  async function dropFinalizer({ resource, object }: Tracked, finalizer: string): Promise<void> {
    await unlessGone(async () => {
      const current = await context.client.get(resource, nameOf(object));
      if (current.metadata?.uid !== object.metadata?.uid) return;
      const finalizers = (current.metadata?.finalizers ?? []).filter((one) => one !== finalizer);
      await context.client.patch(resource, nameOf(object), 'merge', { metadata: { resourceVersion: current.metadata?.resourceVersion, finalizers } });
    });
  }

  const descriptors = new Map<string, ResourceDescriptor>();
  function follow(resource: ResourceDescriptor): void {
    const key = `${resource.group}/${resource.plural}`;
    if (followed.has(key)) return;
    descriptors.set(key, resource);
    const informer = context.informer(resource);
    followed.set(key, informer);
    const seen = (object: KubeObject): void => {
      graph.put({ resource, object: slim(object) });
      queue.add(object.metadata?.uid ?? '');
      if (object.metadata?.deletionTimestamp !== undefined) for (const { object: dependent } of graph.dependentsOf(object.metadata.uid ?? '')) queue.add(dependent.metadata?.uid ?? '');
    };
    informer.on({ add: seen, update: seen, delete: (object) => {
      const uid = object.metadata?.uid ?? '';
      const dependents = graph.dependentsOf(uid);
      graph.remove(uid);
      for (const { object: dependent } of dependents) queue.add(dependent.metadata?.uid ?? '');
      // A foreground deletion above may be waiting for this one.
      for (const { uid: owner } of object.metadata?.ownerReferences ?? []) queue.add(owner);
    } });
  }

  every(context, rediscoverEveryMs, () => {
    collectableResources(context.client).then((all) => all.forEach(follow)).catch((error: unknown) => {
      if (!context.signal.aborted) context.log.warn({ err: error }, 'discovery failed; the garbage collector asks again');
    });
  });
}

const nameOf = ({ metadata }: KubeObject): { name: string; namespace?: string } => ({ name: metadata?.name ?? '', ...(metadata?.namespace === undefined ? {} : { namespace: metadata.namespace }) });

async function unlessGone(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    // 409: the object was replaced or changed meanwhile; its next event brings us back.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

