// The wire between the nodes: a bridge in a namespace of its own (so that the machine's firewall and bridge settings do not act on
// it), one cable from it to each node, and one to the machine, which carries the gateway's address.
import { ensureNetns, ipInside, setSysctls } from './namespace.ts';
import { nodeCable } from '../state/names.ts';
import { run, tryRun } from '../processes/run.ts';
import type { LabNames } from '../state/names.ts';
import type { UnderlayAddresses } from '../state/spec.ts';

const bridge = 'underlay';
const uplink = 'machine';

interface Link { readonly ifname: string }
interface Address extends Link { readonly addr_info: readonly { readonly local: string }[] }

async function linkNames(netns: string): Promise<readonly string[]> {
  return (JSON.parse((await ipInside(netns, ['-json', 'link', 'show'])) || '[]') as Link[]).map(({ ifname }) => ifname);
}

/** Bridge and the machine's cable. */
export async function ensureUnderlay(names: LabNames, addresses: UnderlayAddresses): Promise<void> {
  const { underlayNetns: netns, machineDevice } = names;
  await ensureNetns(netns);
  const links = await linkNames(netns);
  if (!links.includes(bridge)) {
    await ipInside(netns, ['link', 'add', bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0']);
    await ipInside(netns, ['link', 'set', bridge, 'up']);
    // The wire is a wire: what crosses it is nobody's business here.
    setSysctls(netns, { 'net/bridge/bridge-nf-call-iptables?': '0', 'net/bridge/bridge-nf-call-ip6tables?': '0', 'net/bridge/bridge-nf-call-arptables?': '0' });
  }
  const gateway = `${addresses.gateway}/${addresses.prefix}`;
  if (!links.includes(uplink) || !(await machineHas(machineDevice, addresses.gateway))) {
    if (links.includes(uplink)) await ipInside(netns, ['link', 'del', uplink]);
    await tryRun(['/usr/sbin/ip', 'link', 'del', machineDevice]);
    await ipInside(netns, ['link', 'add', uplink, 'type', 'veth', 'peer', 'name', machineDevice, 'netns', String(process.pid)]);
    await ipInside(netns, ['link', 'set', uplink, 'master', bridge, 'up']);
    await run(['/usr/sbin/ip', 'address', 'add', gateway, 'dev', machineDevice]);
    if (addresses.v6 !== undefined) await run(['/usr/sbin/ip', 'address', 'add', `${addresses.v6.gateway}/${addresses.v6.prefix}`, 'dev', machineDevice, 'nodad']);
    await run(['/usr/sbin/ip', 'link', 'set', machineDevice, 'up']);
  }
}

/**
 * ip route replace LB-CIDR nexthop via NODE1 nexthop via NODE2 ...: load-balancer addresses are reached through any node, whose proxy
 * takes them. The route goes with the machine's cable.
 */
export async function routeLoadBalancers({ machineDevice }: LabNames, addresses: UnderlayAddresses, nodes: number): Promise<void> {
  for (const family of [addresses, ...(addresses.v6 === undefined ? [] : [addresses.v6])]) {
    const hops = Array.from({ length: nodes }, (_, at) => ['nexthop', 'via', family.node(at + 1), 'dev', machineDevice]);
    await run(['/usr/sbin/ip', 'route', 'replace', family.loadBalancerCIDR, ...hops.flat()]);
  }
}

async function machineHas(device: string, address: string): Promise<boolean> {
  const shown = await tryRun(['/usr/sbin/ip', '-json', 'address', 'show', 'dev', device, 'up']);
  if (shown.code !== 0) return false;
  return (JSON.parse(shown.stdout || '[]') as Partial<Address>[]).some(({ addr_info }) => addr_info?.some(({ local }) => local === address));
}

/**
 * The node's cable: eth0 in the node, `pw-ID-nN` at the bridge. Says whether it had to be laid: whatever sat on the old eth0
 * (VXLAN device, routes) went with it.
 */
export async function ensureNodeCable(names: LabNames, addresses: UnderlayAddresses, index: number, pid: number): Promise<'present' | 'laid'> {
  const netns = names.underlayNetns;
  const inNode = `/proc/${pid}/ns/net`;
  const cable = nodeCable(names, index);
  const address = addresses.node(index);
  const [underlay, node] = await Promise.all([linkNames(netns), ipInside(inNode, ['-json', '-4', 'address', 'show', 'up'])]);
  const eth0 = (JSON.parse(node || '[]') as Partial<Address>[]).find(({ ifname }) => ifname === 'eth0');
  const route = await ipInside(inNode, ['-json', 'route', 'show', 'default']);
  if (underlay.includes(cable) && eth0?.addr_info?.some(({ local }) => local === address) === true && route.includes(addresses.gateway)) return 'present';
  if (underlay.includes(cable)) await ipInside(netns, ['link', 'del', cable]);
  await ipInside(netns, ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  await ipInside(netns, ['link', 'set', cable, 'master', bridge, 'up']);
  await ipInside(inNode, ['link', 'set', 'lo', 'up']);
  await ipInside(inNode, ['address', 'add', `${address}/${addresses.prefix}`, 'dev', 'eth0']);
  if (addresses.v6 !== undefined) {
    setSysctls(inNode, { 'net/ipv6/conf/all/disable_ipv6': '0', 'net/ipv6/conf/eth0/disable_ipv6': '0', 'net/ipv6/conf/eth0/accept_dad': '0' });
    await ipInside(inNode, ['address', 'add', `${addresses.v6.node(index)}/${addresses.v6.prefix}`, 'dev', 'eth0', 'nodad']);
  }
  await ipInside(inNode, ['link', 'set', 'eth0', 'up']);
  await ipInside(inNode, ['route', 'replace', 'default', 'via', addresses.gateway]);
  if (addresses.v6 !== undefined) await ipInside(inNode, ['-6', 'route', 'replace', 'default', 'via', addresses.v6.gateway, 'dev', 'eth0']);
  return 'laid';
}

export async function removeCable(names: LabNames, index: number): Promise<void> {
  await tryRun(['/usr/bin/nsenter', `--net=${names.underlayNetns}`, '--', '/usr/sbin/ip', 'link', 'del', nodeCable(names, index)]);
}

/** Everything a node relies on, whatever the machine's own defaults are. `?`: only where the kernel has it. */
export const nodeSysctls: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/disable_ipv6?': '0',
  'net/ipv6/conf/default/disable_ipv6?': '0',
  'net/ipv6/conf/all/forwarding?': '1',
  'net/ipv6/conf/default/accept_dad?': '0',
  // Reverse-path filter off: a node port's reply may leave by another device than the request came in.
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv4/conf/eth0/rp_filter': '0',
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
  // Bridged packets of one node's pods must pass the Service rules.
  'net/bridge/bridge-nf-call-iptables?': '1',
  'net/bridge/bridge-nf-call-ip6tables?': '1',
  // Refusals are answers: none may be swallowed by a rate limit.
  'net/ipv4/icmp_ratelimit': '0',
  'net/ipv6/icmp/ratelimit?': '0',
};

export function setNodeSysctls(pid: number): void {
  setSysctls(`/proc/${pid}/ns/net`, nodeSysctls);
}
