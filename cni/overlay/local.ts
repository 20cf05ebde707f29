// What the overlay needs on this node before any peer: forwarding, the VXLAN device, the pod bridge.
import { isIP } from 'node:net';
import { activeFeatures, addAddress, addLink, deleteAddress, deleteLink, formatIp, getLink, getSysctl, isNetlinkError, listAddresses, listLinks, parsePrefix, setFeature, setLink, setSysctl } from '@podwire/netlink';
import type { Link, NetlinkSocket, VxlanOptions } from '@podwire/netlink';
import { formatIp as ipText, networkOf, parseCidr } from '../ipam/address.ts';
import type { Ip } from '../ipam/address.ts';
import { macOfIp } from '../plan/names.ts';
import { normalIp, normalPrefix } from './desired-peers.ts';
import { ipFamily, vtepMacOf } from './node-view.ts';
import type { OverlayLog, OverlayOptions, Self } from './types.ts';

export const VXLAN_DEVICE = 'pw-vxlan';
const DEFAULT_VNI = 4096;
const DEFAULT_PORT = 8472;
const ENCAPSULATION = { 4: 50, 6: 70 } as const;
const NO_LINK_LOCAL = 1;

export interface Local {
  readonly self: Self;
  readonly mtu: number;
  /** Devices whose changes concern the overlay. */
  readonly devices: ReadonlySet<number>;
}

/** Makes this node's side so, from whatever is there, and says what it found. Idempotent; changes nothing that is right. */
export function ensureLocal(rt: NetlinkSocket, options: OverlayOptions): Local {
  const families = new Set(options.podCIDRs.map(ipFamily));
  forward(options, families);
  const underlay = findUnderlay(rt, options);
  const family = ipFamily(options.nodeIPs[0] ?? '');
  const mode = options.mode ?? 'vxlan';
  const mtu = options.mtu ?? underlay.mtu - (mode === 'vxlan' ? ENCAPSULATION[family] : 0);
  const vni = options.vni ?? DEFAULT_VNI;
  const vtepMac = vtepMacOf(options.nodeName, vni);
  const bridge = ensureBridge(rt, options, mtu);
  const vxlan = mode === 'vxlan' ? ensureVxlan(rt, options, underlay, mtu, vtepMac, vni) : undefined;
  if (vxlan === undefined) removeVxlan(rt, options.log);
  const devices = new Set([underlay.index, bridge.index, ...(vxlan === undefined ? [] : [vxlan.index])]);
  const prefixes = listAddresses(rt, { dev: underlay.index }).map(({ address }) => address);
  return {
    self: {
      name: options.nodeName, mode, directRouting: options.directRouting ?? false, podCIDRs: options.podCIDRs, nodeIPs: options.nodeIPs.map(normalIp), serviceCIDRs: options.serviceCIDRs,
      vtepMac, vxlanDevice: VXLAN_DEVICE, bridge: bridge.name, underlay: { name: underlay.name, prefixes },
    },
    mtu,
    devices,
  };
}

function forward(options: OverlayOptions, families: ReadonlySet<4 | 6>): void {
  const keys = [...(families.has(4) ? ['net.ipv4.ip_forward'] : []), ...(families.has(6) ? ['net.ipv6.conf.all.forwarding'] : [])];
  for (const key of keys) {
    if (setSysctl(options.netns, key, 1)) options.log.info({ sysctl: key }, `${key} was 0, set to 1: a node forwards its pods' packets`);
  }
}

function findUnderlay(rt: NetlinkSocket, options: OverlayOptions): Link {
  const [first] = options.nodeIPs;
  if (first === undefined || isIP(first) === 0) throw new Error(`${options.nodeName}: overlay: '${first ?? ''}' is not an IP address; give the node's own address in the underlay`);
  if (options.underlayDevice !== undefined) {
    const link = getLink(rt, options.underlayDevice);
    if (link === undefined) throw new Error(`${options.nodeName}: overlay: there is no device '${options.underlayDevice}' for the underlay; \`ip link\` lists those that are`);
    return link;
  }
  const wanted = normalIp(first);
  const holder = listAddresses(rt).find(({ address }) => address.split('/', 1)[0] === wanted);
  const link = holder === undefined ? undefined : getLink(rt, holder.index);
  if (link === undefined) throw new Error(`${options.nodeName}: overlay: no device holds the node's address ${first}; assign it, or name the right one with --node-ip`);
  return link;
}

/** VTEP addresses: the first of each podCIDR as a host address, so that masquerade and rp_filter see an address of the pod network. */
const vtepAddresses = (podCIDRs: readonly string[]): readonly string[] => podCIDRs.map((text) => {
  const { address } = parsePrefix(text);
  return `${formatIp(address)}/${address.length * 8}`;
});

function ensureVxlan(rt: NetlinkSocket, options: OverlayOptions, underlay: Link, mtu: number, mac: string, id: number): Link {
  const isV4 = ipFamily(options.nodeIPs[0] ?? '') === 4;
  const local = normalIp(options.nodeIPs[0] ?? '');
  const wanted: VxlanOptions = { id, port: options.port ?? DEFAULT_PORT, link: underlay.index, learning: false, ...(isV4 ? { local } : { local6: local }) };
  let link = getLink(rt, VXLAN_DEVICE);
  if (link !== undefined && !hasOptions(link, wanted)) {
    options.log.info({ device: VXLAN_DEVICE }, `${VXLAN_DEVICE}: made for other settings, made anew`);
    deleteLink(rt, link.index);
    link = undefined;
  }
  if (link === undefined) {
    removeTwin(rt, options, id);
    addLink(rt, { name: VXLAN_DEVICE, kind: 'vxlan', mac, mtu, addrGenMode: NO_LINK_LOCAL, vxlan: wanted, up: true });
  } else {
    if (link.mac !== mac) setLink(rt, link.index, { mac });
    if (link.mtu !== mtu) setLink(rt, link.index, { mtu });
    if (!link.isUp) setLink(rt, link.index, { up: true });
  }
  const made = getLink(rt, VXLAN_DEVICE);
  if (made === undefined) throw new Error(`${options.nodeName}: overlay: ${VXLAN_DEVICE} vanished while it was set up; it will be tried again`);
  ensureAddresses(rt, made, vtepAddresses(options.podCIDRs));
  ensureTxChecksum(options);
  return made;
}

const TX_CHECKSUM = 'tx-checksum-ip-generic';

/** Left alone unless asked for; what the option changed once it changes back when it is asked to. */
function ensureTxChecksum({ txChecksum, netns }: OverlayOptions): void {
  if (txChecksum === undefined) return;
  const at = netns === undefined ? {} : { netns };
  try {
    if (activeFeatures(VXLAN_DEVICE, at).has(TX_CHECKSUM) !== txChecksum) setFeature(VXLAN_DEVICE, TX_CHECKSUM, txChecksum, at);
  } catch (error) {
    // A kernel without ethtool's netlink family has it on.
    if (!txChecksum || !isNetlinkError(error, 'ENOENT')) throw error;
  }
}

function hasOptions(link: Link, wanted: VxlanOptions): boolean {
  const actual = link.vxlan;
  return actual !== undefined && (Object.keys(wanted) as (keyof VxlanOptions)[]).every((key) => actual[key] === wanted[key]);
}

/** The kernel refuses a second VXLAN device with our number and port: say whose it is instead of EEXIST. */
function removeTwin(rt: NetlinkSocket, options: OverlayOptions, id: number): void {
  const port = options.port ?? DEFAULT_PORT;
  const twin = listLinks(rt, { kind: 'vxlan' }).find(({ vxlan }) => vxlan?.id === id && vxlan.port === port);
  if (twin !== undefined) throw new Error(`${options.nodeName}: overlay: the device ${twin.name} uses VXLAN id ${id} on port ${port} already; delete it, or choose another id`);
}

function removeVxlan(rt: NetlinkSocket, log: OverlayLog): void {
  const link = getLink(rt, VXLAN_DEVICE);
  if (link?.kind !== 'vxlan') return;
  log.info({ device: VXLAN_DEVICE }, `${VXLAN_DEVICE}: not needed with host-gw, removed`);
  deleteLink(rt, link.index);
}

function ensureAddresses(rt: NetlinkSocket, link: Link, wanted: readonly string[]): void {
  const present = listAddresses(rt, { dev: link.index }).map(({ address }) => address);
  for (const address of wanted) if (!present.includes(address)) addAddress(rt, link.index, address, { nodad: true });
  for (const address of present) if (!wanted.includes(address) && !address.startsWith('fe80:')) deleteAddress(rt, link.index, address);
}

const gatewayOf = (podCIDR: string): Ip | undefined => {
  const cidr = parseCidr(podCIDR);
  return cidr === undefined ? undefined : { family: cidr.family, value: networkOf(cidr) + 1n };
};

/**
 * The bridge as the CNI engine makes it at the first ADD (same name, MAC, addresses): the node's own traffic to cluster IPs is
 * routed over it and must work before the first pod comes.
 */
function ensureBridge(rt: NetlinkSocket, options: OverlayOptions, mtu: number): Link {
  const name = options.bridge ?? 'pw-cni0';
  const gateways = options.podCIDRs.map(gatewayOf).filter((each) => each !== undefined);
  const [first] = gateways;
  const mac = first === undefined ? undefined : macOfIp(first);
  if (getLink(rt, name) === undefined) {
    try {
      addLink(rt, { name, kind: 'bridge', mtu, ...(mac === undefined ? {} : { mac }) });
    } catch (error) {
      if (!isNetlinkError(error, 'EEXIST')) throw error; // an ADD was faster
    }
  }
  const link = getLink(rt, name);
  if (link?.kind !== 'bridge') throw new Error(`${options.nodeName}: overlay: the device ${name} is not a bridge; remove it, or name another bridge`);
  if (!link.isUp) {
    // While the link-local address is tentative the kernel sends no neighbour solicitation: forwarded IPv6 would be lost for two seconds.
    const key = `net/ipv6/conf/${name}/accept_dad`;
    if (getSysctl(options.netns, key) !== undefined) setSysctl(options.netns, key, 0);
    setLink(rt, link.index, { up: true });
  }
  // Ports may be pods of an earlier, smaller MTU: what is sent to them must not be larger.
  if (link.mtu > mtu || (link.mtu < mtu && listLinks(rt, { master: link.index }).length === 0)) setLink(rt, link.index, { mtu });
  const present = new Set(listAddresses(rt, { dev: link.index }).map(({ address }) => address));
  options.podCIDRs.forEach((podCIDR, index) => {
    const gateway = gateways[index];
    const prefix = parseCidr(podCIDR)?.prefix;
    if (gateway === undefined || prefix === undefined) throw new Error(`${options.nodeName}: overlay: podCIDR '${podCIDR}' is not a network such as 10.244.1.0/24`);
    // ptp: each pod has its own host route; a connected network on the bridge would hide pods that are gone behind ARP.
    const address = `${ipText(gateway)}/${options.podInterface === 'ptp' ? (gateway.family === 4 ? 32 : 128) : prefix}`;
    const wanted = normalPrefix(address);
    if (present.has(wanted)) return;
    try {
      addAddress(rt, link.index, wanted, { nodad: true });
    } catch (error) {
      if (!isNetlinkError(error, 'EEXIST')) throw error;
    }
  });
  return link;
}
