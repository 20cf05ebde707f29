// The few things of a Node that the proxy looks at.
import type { Node } from '@podwire/kube-client';
import { canonicalAddress } from '../core/address.ts';

export interface NodeFacts {
  readonly name: string;
  readonly zone: string | undefined;
  /** InternalIP addresses, in order; canonical. */
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  /** Load balancers should send nothing new here: being deleted, or about to be removed by the autoscaler. */
  readonly isLeaving: boolean;
}

export function nodeFacts(node: Node): NodeFacts {
  const { metadata, spec, status } = node;
  const addresses = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => canonicalAddress(address));
  return {
    name: metadata?.name ?? '',
    zone: metadata?.labels?.['topology.kubernetes.io/zone'],
    addresses: [...new Set(addresses.filter((address) => address !== undefined))],
    podCIDRs: spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]),
    isLeaving: metadata?.deletionTimestamp !== undefined || (spec?.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler'),
  };
}
