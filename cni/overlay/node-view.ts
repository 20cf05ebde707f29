import type { Node } from '@podwire/kube-client';
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { NodeView } from './types.ts';

export const PUBLIC_IP = 'podwire.io/public-ip';
export const PUBLIC_IP_V6 = 'podwire.io/public-ip-v6';
export const VTEP_MAC = 'podwire.io/vtep-mac';
/** "true": this node's overlay leaves the kernel alone. For lessons that break it on purpose. */
export const PAUSED = 'podwire.io/overlay-paused';

export const ipFamily = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4);

/** A Node less what the overlay does not read: heartbeats then change nothing. Never throws, also for hostile objects. */
export function nodeView(node: Node): NodeView {
  const annotations = node.metadata?.annotations ?? {};
  const condition = (node.status?.conditions ?? []).find(({ type }) => type === 'NetworkUnavailable');
  const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []);
  const podCIDRs = strings(node.spec?.podCIDRs);
  return {
    name: node.metadata?.name ?? '',
    createdAt: node.metadata?.creationTimestamp ?? '',
    podCIDRs: podCIDRs.length > 0 ? podCIDRs : strings([node.spec?.podCIDR]),
    internalIPs: (node.status?.addresses ?? []).filter(({ type, address }) => type === 'InternalIP' && isIP(address) !== 0).map(({ address }) => address),
    publicIPs: [annotations[PUBLIC_IP], annotations[PUBLIC_IP_V6]].filter((each) => each !== undefined),
    vtepMac: annotations[VTEP_MAC]?.toLowerCase(),
    isPaused: annotations[PAUSED] === 'true',
    networkUnavailable: condition === undefined ? undefined : `${condition.status} ${condition.reason ?? ''}`,
  };
}

/**
 * The MAC of a node's VXLAN device follows from its name: the same after a reboot, and never the one that udev derives from
 * the machine-id, which cloned machines share.
 */
export function vtepMacOf(nodeName: string, vni: number): string {
  const bytes = createHash('sha256').update(`podwire vtep ${vni} ${nodeName}`).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02; // unicast, locally administered
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
