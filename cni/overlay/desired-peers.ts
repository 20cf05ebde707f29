import { isIP } from 'node:net';
import { formatIp, parseIp, parsePrefix } from '@podwire/netlink';
import { cidrContains, networkOf, parseCidr, parseIp as parseIpNumber } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';
import { Claims } from './claims.ts';
import { ipFamily } from './node-view.ts';
import type { NodeView, Peer, PeerRoute, Problem, Self } from './types.ts';

const UNICAST_MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

/** An address or prefix in the one spelling in which the kernel's answers are printed too. */
export const normalIp = (ip: string): string => formatIp(parseIp(ip));
export function normalPrefix(text: string): string {
  const { address, length } = parsePrefix(text);
  return `${formatIp(address)}/${length}`;
}

/**
 * The peers that this node should reach and how; and what is wrong with the nodes that are left out. Pure, and the same for
 * any order of `nodes`: when two claim the same network, address or MAC, the older one keeps it.
 */
export function desiredPeers(nodes: readonly NodeView[], self: Self): { readonly peers: readonly Peer[]; readonly problems: readonly Problem[] } {
  const peers: Peer[] = [];
  const problems: Problem[] = [];
  const isOnLink = onLinkTest(self.underlay.prefixes);
  const claims = new Claims();
  for (const text of self.podCIDRs) {
    const cidr = parseCidr(text);
    if (cidr !== undefined) claims.add(cidr, self.name);
  }
  const macs = new Map([[self.vtepMac, self.name]]);
  const addresses = new Map(self.nodeIPs.map((ip) => [normalIp(ip), self.name]));
  const others = nodes.filter(({ name }) => name !== self.name && name !== '').toSorted(byAge);
  for (const node of others) {
    const problem = (text: string): void => { problems.push({ node: node.name, text }); };
    const without = (text: string): readonly PeerRoute[] => {
      problem(text);
      return [];
    };
    const outer = addressesOf(node);
    const taken = [...outer.values()].find((ip) => addresses.has(ip));
    if (taken !== undefined) {
      problem(`its address ${taken} is the address of ${addresses.get(taken) ?? ''}; each node needs its own`);
      continue;
    }
    const routes = node.podCIDRs.flatMap((text) => {
      const cidr = parseCidr(text);
      if (cidr === undefined || networkOf(cidr) !== cidr.address) return without(`podCIDR '${text}' is not a network such as 10.244.1.0/24`);
      const other = claims.holder(cidr);
      if (other !== undefined) return without(`podCIDR ${text} overlaps a podCIDR of ${other}`);
      const route = routeTo(text, cidr, outer, self, isOnLink);
      if (typeof route === 'string') return without(route);
      claims.add(cidr, node.name);
      return [route];
    });
    const reached = withVtep(node, routes, outer, self, macs, problem);
    if (reached === undefined) continue;
    peers.push(reached);
    for (const ip of outer.values()) addresses.set(ip, node.name);
  }
  return { peers, problems };
}

const byAge = (a: NodeView, b: NodeView): number => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.name < b.name ? -1 : 1);

/** The node's address per family: what it publishes, else its InternalIP. */
function addressesOf(node: NodeView): ReadonlyMap<4 | 6, string> {
  const result = new Map<4 | 6, string>();
  for (const ip of [...node.publicIPs, ...node.internalIPs]) {
    if (isIP(ip) !== 0 && !result.has(ipFamily(ip))) result.set(ipFamily(ip), normalIp(ip));
  }
  return result;
}

function routeTo(text: string, cidr: Cidr, outer: ReadonlyMap<4 | 6, string>, self: Self, isOnLink: (address: string) => boolean): PeerRoute | string {
  const address = outer.get(cidr.family);
  const podCIDR = normalPrefix(text);
  // Asked only where it decides: on a large cluster the question costs more than the rest.
  const isNear = address !== undefined && (self.mode === 'host-gw' || self.directRouting) && isOnLink(address);
  if (self.mode === 'host-gw') {
    if (address === undefined) return `podCIDR ${podCIDR} needs an IPv${cidr.family} InternalIP for a host-gw route`;
    if (!isNear) return `${address} is not on the network of ${self.underlay.name}; host-gw needs all nodes on one L2 network, use vxlan`;
    return { podCIDR, via: address, method: 'direct' };
  }
  if (self.directRouting && isNear) return { podCIDR, via: address, method: 'direct' };
  return { podCIDR, via: podCIDR.slice(0, podCIDR.indexOf('/')), method: 'vxlan' };
}

/** Whether an address lies in one of the networks to which the underlay device is connected. */
function onLinkTest(prefixes: readonly string[]): (address: string) => boolean {
  const networks = prefixes.map(parseCidr).filter((each) => each !== undefined);
  return (address) => {
    const ip = parseIpNumber(address);
    return ip !== undefined && networks.some((network) => cidrContains(network, ip));
  };
}

/** VXLAN routes need the peer's MAC and an address in the underlay's family. A node that has not published its MAC yet is on its way: no problem. */
function withVtep(node: NodeView, routes: readonly PeerRoute[], outer: ReadonlyMap<4 | 6, string>, self: Self, macs: Map<string, string>, problem: (text: string) => void): Peer | undefined {
  if (routes.length === 0) return undefined;
  if (routes.every(({ method }) => method === 'direct')) return { node: node.name, routes, vtep: undefined };
  const direct = routes.filter(({ method }) => method === 'direct');
  const onlyDirect = direct.length === 0 ? undefined : { node: node.name, routes: direct, vtep: undefined };
  const family = ipFamily(self.nodeIPs[0] ?? '');
  const address = outer.get(family);
  const mac = node.vtepMac;
  if (mac === undefined) return onlyDirect;
  if (address === undefined) problem(`it has no IPv${family} InternalIP, over which this node's VXLAN runs`);
  else if (!UNICAST_MAC.test(mac)) problem(`its VTEP MAC '${mac}' is not a unicast MAC address`);
  else if (macs.has(mac)) problem(`its VTEP MAC ${mac} is also the MAC of ${macs.get(mac) ?? ''}; frames for the two cannot be told apart`);
  else {
    macs.set(mac, node.name);
    return { node: node.name, routes, vtep: { mac, address } };
  }
  return onlyDirect;
}
