// Which ReplicaSet belongs to which version of a Deployment, pure.
import type { Deployment, ReplicaSet } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';

export const hashLabel = 'pod-template-hash';
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const historyAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxAnnotation = 'deployment.kubernetes.io/max-replicas';

/** The template without the label that only tells ReplicaSets apart. */
function bareTemplate(template: NonNullable<ReplicaSet['spec']>['template']): unknown {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

const createdMs = (set: ReplicaSet): number => Date.parse(set.metadata?.creationTimestamp ?? '1970-01-01T00:00:00Z');

export const byAge = (a: ReplicaSet, b: ReplicaSet): number => createdMs(a) - createdMs(b) || ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1);

/** The oldest ReplicaSet whose template is the Deployment's: the current version, if it exists yet. */
export function findNewReplicaSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const template = bareTemplate(deployment.spec?.template);
  return [...sets].sort(byAge).find((set) => sameMeaning(bareTemplate(set.spec?.template), template));
}

export function revisionOf(object: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } }): number {
  const revision = Number(object.metadata?.annotations?.[revisionAnnotation] ?? '0');
  return Number.isInteger(revision) ? revision : 0;
}

/** The number after the highest of the others: a version that comes back (`rollout undo`) gets a new one. */
export function nextRevision(sets: readonly ReplicaSet[], fresh: ReplicaSet | undefined): number {
  return 1 + Math.max(0, ...sets.filter((set) => set.metadata?.uid !== fresh?.metadata?.uid).map(revisionOf));
}

/** Annotations of a Deployment that are not handed down to its ReplicaSets. */
const ownAnnotations = new Set(['kubectl.kubernetes.io/last-applied-configuration', revisionAnnotation, historyAnnotation, desiredAnnotation, maxAnnotation, 'deprecated.deployment.rollback.to']);

/** The annotations of the current ReplicaSet: those handed down, its revision, and the revisions it had before. */
export function newSetAnnotations(deployment: Deployment, fresh: ReplicaSet | undefined, revision: number, sizes: { desired: number; max: number }): Record<string, string> {
  const handed = Object.fromEntries(Object.entries(deployment.metadata?.annotations ?? {}).filter(([key]) => !ownAnnotations.has(key)));
  const former = fresh?.metadata?.annotations ?? {};
  const oldRevision = revisionOf(fresh ?? {});
  const current = Math.max(oldRevision, revision);
  const history = (former[historyAnnotation] ?? '').split(',').filter((one) => one !== '');
  if (oldRevision > 0 && oldRevision < current) history.push(String(oldRevision));
  return { ...former, ...handed, ...sizeAnnotations(sizes), [revisionAnnotation]: String(current), ...(history.length === 0 ? {} : { [historyAnnotation]: history.join(',') }) };
}

export function sizeAnnotations({ desired, max }: { desired: number; max: number }): Record<string, string> {
  return { [desiredAnnotation]: String(desired), [maxAnnotation]: String(max) };
}

/** ReplicaSets beyond the history limit that hold no pods: the oldest revisions. */
export function expiredSets(old: readonly ReplicaSet[], limit: number): readonly ReplicaSet[] {
  const idle = old.filter(({ spec, status, metadata }) => (spec?.replicas ?? 0) === 0 && (status?.replicas ?? 0) === 0 && (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) && metadata?.deletionTimestamp === undefined);
  const ordered = [...idle].sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
  return ordered.slice(0, Math.max(0, ordered.length - limit));
}
