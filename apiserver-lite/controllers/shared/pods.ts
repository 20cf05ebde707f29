// What controllers ask of a Pod: is it alive, ready, and since when.
import type { ObjectMeta, OwnerReference, Pod } from '@podwire/kube-client';

/** Neither finished nor on its way out: counts towards a ReplicaSet's replicas. */
export function isPodActive(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase !== 'Succeeded' && phase !== 'Failed' && pod.metadata?.deletionTimestamp === undefined;
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** When the pod became ready, in ms since the epoch; `undefined` while it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = pod.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True');
  if (condition === undefined) return undefined;
  return condition.lastTransitionTime === undefined ? 0 : Date.parse(condition.lastTransitionTime);
}

/** Ready for at least `minReadySeconds`: the API's word is "available". */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const sinceMs = readySinceMs(pod);
  return sinceMs !== undefined && (minReadySeconds === 0 || sinceMs + minReadySeconds * 1000 <= nowMs);
}

/** The owner that manages the object, if it has one. */
export function controllerOf(object: { readonly metadata?: ObjectMeta }): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find(({ controller }) => controller === true);
}

export function isControlledBy(object: { readonly metadata?: ObjectMeta }, owner: { readonly metadata?: ObjectMeta }): boolean {
  const uid = controllerOf(object)?.uid;
  return uid !== undefined && uid === owner.metadata?.uid;
}

/** The reference that a managing owner writes into what it makes. */
export function ownerReferenceTo(owner: { readonly metadata?: ObjectMeta }, apiVersion: string, kind: string): OwnerReference {
  return { apiVersion, kind, name: owner.metadata?.name ?? '', uid: owner.metadata?.uid ?? '', controller: true, blockOwnerDeletion: true };
}
