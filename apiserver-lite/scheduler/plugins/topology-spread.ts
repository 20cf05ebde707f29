// PodTopologySpread: the pod's own constraints, and by default an even spread of the pods of one owner over the nodes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
import type { LabelSelector, Pod, TopologySpreadConstraint } from '@podwire/kube-client';
import { controllerOf } from '../../controllers/shared/pods.ts';
import { matchesSelector } from '../../controllers/shared/selector.ts';
import { normalizeToMax } from '../framework.ts';
import type { FilterPlugin, ScorePlugin } from '../framework.ts';
import type { NodeInfo, Snapshot } from '../snapshot.ts';
import { matchesRequiredAffinity } from './node-affinity.ts';

const live = (pod: Pod): boolean => pod.metadata?.deletionTimestamp === undefined;

/** The constraint's selector with the values of `matchLabelKeys` of the incoming pod joined in. */
function selectorOf(constraint: TopologySpreadConstraint, pod: Pod): LabelSelector | undefined {
  const keys = (constraint.matchLabelKeys ?? []).filter((key) => pod.metadata?.labels?.[key] !== undefined);
  if (keys.length === 0) return constraint.labelSelector;
  const own = Object.fromEntries(keys.map((key) => [key, pod.metadata?.labels?.[key] ?? '']));
  return { ...constraint.labelSelector, matchLabels: { ...constraint.labelSelector?.matchLabels, ...own } };
}

/** Matching pods per value of the topology key, over the nodes that the pod may use at all. */
function domainCounts(constraint: TopologySpreadConstraint, pod: Pod, snapshot: Snapshot): Map<string, number> {
  const selector = selectorOf(constraint, pod);
  const counts = new Map<string, number>();
  for (const node of snapshot.nodes) {
    const domain = node.labels[constraint.topologyKey];
    if (domain === undefined || (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesRequiredAffinity(pod, node))) continue;
    const matching = node.pods.filter((one) => live(one) && one.metadata?.namespace === pod.metadata?.namespace && matchesSelector(selector, one.metadata?.labels)).length;
    counts.set(domain, (counts.get(domain) ?? 0) + matching);
  }
  return counts;
}

const constraintsOf = (pod: Pod, action: string): readonly TopologySpreadConstraint[] => (pod.spec?.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action);

function refusal(constraint: TopologySpreadConstraint, pod: Pod, node: NodeInfo, snapshot: Snapshot): string | undefined {
  const domain = node.labels[constraint.topologyKey];
  if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)";
  const counts = domainCounts(constraint, pod, snapshot);
  const lowest = (constraint.minDomains ?? 1) > counts.size ? 0 : Math.min(...counts.values());
  const self = matchesSelector(selectorOf(constraint, pod), pod.metadata?.labels) ? 1 : 0;
  return (counts.get(domain) ?? 0) + self - lowest > constraint.maxSkew ? "node(s) didn't match pod topology spread constraints" : undefined;
}

/** Without constraints of its own a pod keeps away from nodes that hold pods of the same owner. */
function siblings(pod: Pod, node: NodeInfo): number {
  const owner = controllerOf(pod)?.uid;
  return owner === undefined ? 0 : node.pods.filter((one) => live(one) && controllerOf(one)?.uid === owner).length;
}

export const podTopologySpread: FilterPlugin & ScorePlugin = {
  name: 'PodTopologySpread',
  weight: 2,
  filter: (pod, node, snapshot) => {
    for (const constraint of constraintsOf(pod, 'DoNotSchedule')) {
      const reason = refusal(constraint, pod, node, snapshot);
      if (reason !== undefined) return reason;
    }
    return undefined;
  },
  score: (pod, node, snapshot) => {
    if ((pod.spec?.topologySpreadConstraints ?? []).length === 0) return siblings(pod, node);
    return constraintsOf(pod, 'ScheduleAnyway').reduce((sum, constraint) => sum + (domainCounts(constraint, pod, snapshot).get(node.labels[constraint.topologyKey] ?? '') ?? 0), 0);
  },
  normalize: (scores) => normalizeToMax(scores, true),
};
