// NodeResourcesFit (LeastAllocated) and NodeResourcesBalancedAllocation.
// https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/
import type { Pod } from '@podwire/kube-client';
import type { FilterPlugin, ScorePlugin } from '../framework.ts';
import { defaultRequest, podRequests } from '../snapshot.ts';
import type { NodeInfo } from '../snapshot.ts';

/** Sums of tenths are not exact in floating point: ten pods of 100m do fit on one core. */
const roundingSlack = 1e-6;

const compared = ['cpu', 'memory'] as const;

/** Part of a resource in use once the pod is there, 0..1. Pods that ask for nothing count as small ones. */
function fractionUsed(pod: Pod, node: NodeInfo, name: string): number {
  const capacity = node.allocatable.get(name) ?? 0;
  if (capacity === 0) return 1;
  const small = defaultRequest.get(name) ?? 0;
  const asked = (one: Pod): number => podRequests(one).get(name) ?? small;
  const used = node.pods.reduce((sum, one) => sum + asked(one), asked(pod));
  return Math.min(1, used / capacity);
}

export const nodeResourcesFit: FilterPlugin & ScorePlugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  filter: (pod, node) => {
    const limit = node.allocatable.get('pods');
    if (limit !== undefined && node.pods.length + 1 > limit) return 'Too many pods';
    for (const [name, amount] of podRequests(pod)) {
      if (amount > 0 && (node.requested.get(name) ?? 0) + amount > (node.allocatable.get(name) ?? 0) + roundingSlack) return `Insufficient ${name}`;
    }
    return undefined;
  },
  score: (pod, node) => (compared.reduce((sum, name) => sum + (1 - fractionUsed(pod, node, name)), 0) / compared.length) * 100,
};

export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score: (pod, node) => {
    const [cpu = 0, memory = 0] = compared.map((name) => fractionUsed(pod, node, name));
    return (1 - Math.abs(cpu - memory) / 2) * 100;
  },
};
