// Node IPAM: gives each node its part of the pod network, once and for good.
import type { Node } from '@podwire/kube-client';
import { referenceTo, resources } from '@podwire/kube-client';
import { enqueueOn } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';
import { formatCidr, nextFree, parseCidr } from './pod-cidrs.ts';
import type { Cidr } from './pod-cidrs.ts';

/** Networks of all nodes that have some; a value that cannot be read blocks nothing. */
function takenBy(nodes: readonly Node[]): readonly Cidr[] {
  return nodes.flatMap(({ spec }) => spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR])).flatMap((text) => {
    try {
      return [parseCidr(text)];
    } catch (error) {
      if (error instanceof RangeError) return [];
      throw error;
    }
  });
}

export function startNodeIpamController(context: ControllerContext): void {
  const { clusterCidrs, nodeMaskIPv4 = 24, nodeMaskIPv6 = 64 } = context.settings;
  const networks = clusterCidrs.map(parseCidr);
  if (networks.length === 0) return;
  const nodes = context.informer(resources.nodes);
  const events = context.recorder('cidrAllocator');
  /** Given but not yet in the cache, by node name. */
  const given = new Map<string, readonly Cidr[]>();

  // One node at a time: two allocations at once would see the same free part.
  const queue = context.queue('node-ipam', async (key) => {
    await nodes.waitForSync(context.signal);
    const node = nodes.store.byKey(key);
    if (node === undefined || node.spec?.podCIDR !== undefined) {
      given.delete(key);
      return;
    }
    const taken = [...takenBy(nodes.store.list()), ...[...given.values()].flat()];
    const parts = networks.map((network) => nextFree(network, network.family === 4 ? nodeMaskIPv4 : nodeMaskIPv6, taken));
    if (parts.some((part) => part === undefined)) {
      events.record(referenceTo(resources.nodes, node), 'Warning', 'CIDRNotAvailable', `Node ${key}: no free part is left in ${clusterCidrs.join(', ')}`);
      throw new Error(`no pod CIDR is free for node ${key} in ${clusterCidrs.join(', ')}; start the API server with a larger --cluster-cidr`);
    }
    const own = parts.filter((part) => part !== undefined);
    given.set(key, own);
    try {
      const podCIDRs = own.map(formatCidr);
      await context.client.patch(resources.nodes, { name: key }, 'strategic', { spec: { podCIDR: podCIDRs[0], podCIDRs } });
    } catch (error) {
      given.delete(key);
      throw error;
    }
  }, { concurrency: 1 });
  enqueueOn(nodes, queue);
}
