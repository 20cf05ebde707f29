// InterPodAffinity. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
import type { Pod, PodAffinityTerm } from '@podwire/kube-client';
import { matchesSelector } from '../../controllers/shared/selector.ts';
import { normalizeToRange } from '../framework.ts';
import type { FilterPlugin, ScorePlugin } from '../framework.ts';
import type { NodeInfo, Snapshot } from '../snapshot.ts';

/** Whether a term of `owner` is about `other`: namespace by list or selector (default the owner's own), and labels. */
function isAbout(term: PodAffinityTerm, owner: Pod, other: Pod, snapshot: Snapshot): boolean {
  const namespace = other.metadata?.namespace ?? '';
  const listed = term.namespaces ?? [];
  const bySelector = term.namespaceSelector !== undefined && matchesSelector(term.namespaceSelector, snapshot.namespaceLabels(namespace));
  const byDefault = listed.length === 0 && term.namespaceSelector === undefined && namespace === owner.metadata?.namespace;
  return (listed.includes(namespace) || bySelector || byDefault) && matchesSelector(term.labelSelector, other.metadata?.labels);
}

const sameDomain = (a: NodeInfo, b: NodeInfo, key: string): boolean => a.labels[key] !== undefined && a.labels[key] === b.labels[key];

/** Whether any pod that the term is about runs in the node's topology domain. */
function holdsMatch(term: PodAffinityTerm, pod: Pod, node: NodeInfo, snapshot: Snapshot): boolean {
  return snapshot.nodes.some((other) => sameDomain(node, other, term.topologyKey) && other.pods.some((one) => isAbout(term, pod, one, snapshot)));
}

/** The first pod of a group that wants to be together may go anywhere, or the group could never start. */
function isFirstOfItsKind(terms: readonly PodAffinityTerm[], pod: Pod, snapshot: Snapshot): boolean {
  return terms.every((term) => isAbout(term, pod, pod, snapshot)) && !snapshot.nodes.some(({ pods }) => pods.some((one) => terms.some((term) => isAbout(term, pod, one, snapshot))));
}

const requiredAnti = (pod: Pod): readonly PodAffinityTerm[] => pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];

export const interPodAffinity: FilterPlugin & ScorePlugin = {
  name: 'InterPodAffinity',
  weight: 2,
  filter: (pod, node, snapshot) => {
    const together = pod.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    if (together.some((term) => !holdsMatch(term, pod, node, snapshot))) {
      const mayStart = isFirstOfItsKind(together, pod, snapshot) && together.every(({ topologyKey }) => node.labels[topologyKey] !== undefined);
      if (!mayStart) return "node(s) didn't match pod affinity rules";
    }
    if (requiredAnti(pod).some((term) => holdsMatch(term, pod, node, snapshot))) return "node(s) didn't match pod anti-affinity rules";
    const resented = snapshot.nodes.some((other) => other.pods.some((one) => requiredAnti(one).some((term) => sameDomain(node, other, term.topologyKey) && isAbout(term, one, pod, snapshot))));
    return resented ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined;
  },
  score: (pod, node, snapshot) => {
    const count = (term: PodAffinityTerm): number => snapshot.nodes.filter((other) => sameDomain(node, other, term.topologyKey)).reduce((sum, { pods }) => sum + pods.filter((one) => isAbout(term, pod, one, snapshot)).length, 0);
    const liked = pod.spec?.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const disliked = pod.spec?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    return liked.reduce((sum, { weight, podAffinityTerm }) => sum + weight * count(podAffinityTerm), 0) - disliked.reduce((sum, { weight, podAffinityTerm }) => sum + weight * count(podAffinityTerm), 0);
  },
  normalize: normalizeToRange,
};
