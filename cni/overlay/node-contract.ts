// What the node tells the others: annotations with its address and MAC, and that its network works.
import { resources } from '@podwire/kube-client';
import type { KubeClient } from '@podwire/kube-client';
import { ipFamily, PUBLIC_IP, PUBLIC_IP_V6, VTEP_MAC } from './node-view.ts';
import type { NodeView, Self } from './types.ts';

export const NETWORK_REASON = 'PodwireOverlayIsUp';
const WANTED_CONDITION = `False ${NETWORK_REASON}`;
/** Said by a node whose overlay was told to leave the kernel alone: from then on it does. */
export const PAUSED_REASON = 'PodwireOverlayIsPaused';

/** The annotations that this node should have; null: should not have. Pure. */
export function desiredAnnotations(self: Self): Readonly<Record<string, string | null>> {
  return {
    [PUBLIC_IP]: self.nodeIPs.find((ip) => ipFamily(ip) === 4) ?? null,
    [PUBLIC_IP_V6]: self.nodeIPs.find((ip) => ipFamily(ip) === 6) ?? null,
    [VTEP_MAC]: self.mode === 'vxlan' ? self.vtepMac : null,
  };
}

/** Whether the Node says already what it should. Pure. */
export function isPublished(view: NodeView, self: Self): boolean {
  const wanted = desiredAnnotations(self);
  const addresses = [wanted[PUBLIC_IP], wanted[PUBLIC_IP_V6]].filter((each) => each !== null);
  return view.publicIPs.length === addresses.length && addresses.every((ip, index) => view.publicIPs[index] === ip) && (view.vtepMac ?? null) === wanted[VTEP_MAC];
}

/** `kubectl annotate node NAME ...` */
export async function publishAnnotations(client: Pick<KubeClient, 'patch'>, self: Self, signal: AbortSignal): Promise<void> {
  await client.patch(resources.nodes, { name: self.name }, 'merge', { metadata: { annotations: desiredAnnotations(self) } }, { signal });
}

export const isNetworkReported = (view: NodeView): boolean => view.networkUnavailable === WANTED_CONDITION;

export const isPauseReported = (view: NodeView): boolean => view.networkUnavailable === `False ${PAUSED_REASON}`;

/** Says that the pause has come into force, so that whoever asked for it need not guess when. */
export async function reportPause(client: Pick<KubeClient, 'patch'>, self: Self, signal: AbortSignal): Promise<void> {
  await reportCondition(client, self, PAUSED_REASON, 'annotation podwire.io/overlay-paused: the overlay leaves the kernel alone', signal);
}

/** Sets condition NetworkUnavailable=False: the scheduler keeps pods off a node until then, where the taint is in use. */
export async function reportNetwork(client: Pick<KubeClient, 'patch'>, self: Self, signal: AbortSignal): Promise<void> {
  await reportCondition(client, self, NETWORK_REASON, `the pod network is up (${self.mode})`, signal);
}

async function reportCondition(client: Pick<KubeClient, 'patch'>, self: Self, reason: string, message: string, signal: AbortSignal): Promise<void> {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const condition = { type: 'NetworkUnavailable', status: 'False', reason, message, lastHeartbeatTime: now, lastTransitionTime: now };
  await client.patch(resources.nodes, { name: self.name }, 'strategic', { status: { conditions: [condition] } }, { signal, subresource: 'status' });
}
