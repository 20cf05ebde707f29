// NodeName, nodeSelector and NodeAffinity. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
import type { NodeSelectorTerm, Pod } from '@podwire/kube-client';
import { matchesRequirement } from '../../controllers/shared/selector.ts';
import { normalizeToMax } from '../framework.ts';
import type { FilterPlugin, ScorePlugin } from '../framework.ts';
import type { NodeInfo } from '../snapshot.ts';

export const nodeName: FilterPlugin = {
  name: 'NodeName',
  filter: (pod, { name }) => (pod.spec?.nodeName === undefined || pod.spec.nodeName === name ? undefined : "node(s) didn't match the requested node name"),
};

/** All requirements of one term; an empty term matches nothing. */
export function matchesTerm(term: NodeSelectorTerm, node: NodeInfo): boolean {
  const byLabel = term.matchExpressions ?? [];
  const byField = term.matchFields ?? [];
  if (byLabel.length + byField.length === 0) return false;
  return (
    byLabel.every(({ key, operator, values }) => matchesRequirement(node.labels[key], operator, values ?? [])) &&
    byField.every(({ key, operator, values }) => matchesRequirement(key === 'metadata.name' ? node.name : undefined, operator, values ?? []))
  );
}

/** The pod's nodeSelector and its required node affinity (any one of whose terms is enough). */
export function matchesRequiredAffinity(pod: Pod, node: NodeInfo): boolean {
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  if (!selector.every(([key, value]) => node.labels[key] === value)) return false;
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

export const nodeAffinity: FilterPlugin & ScorePlugin = {
  name: 'NodeAffinity',
  weight: 2,
  filter: (pod, node) => (matchesRequiredAffinity(pod, node) ? undefined : "node(s) didn't match Pod's node affinity/selector"),
  score: (pod, node) => (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0),
  normalize: (scores) => normalizeToMax(scores),
};
