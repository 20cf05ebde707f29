// Links. Every function's doc is its command.
import { closeSync, openSync } from 'node:fs';
import { Attributes } from '../attributes.ts';
import { NetlinkError, isNetlinkError } from '../errors.ts';
import { formatMac, parseMac } from '../ip-bytes.ts';
import { AF_BRIDGE, AF_INET6, AF_UNSPEC } from '../libc.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL } from '../message.ts';
import type { NetlinkMessage } from '../message.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../socket.ts';
import { NetlinkWriter } from '../writer.ts';
import * as c from './constants.ts';
import { bridgePortTable, bridgeTable, vxlanTable } from './link-types.ts';
import type { BridgeOptions, BridgePortOptions, Device, Link, LinkAttributes, LinkChanges, LinkSpec, VxlanOptions } from './link-types.ts';
import { readOptions, writeOptions } from './option-table.ts';

const IFNAMSIZ = 15;
const RTEXT_FILTER_SKIP_STATS = 8;
const operStates = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];

function checkName(name: string): string {
  if (name.length === 0 || Buffer.byteLength(name) > IFNAMSIZ || /[/\s:]/.test(name) || name === '.' || name === '..') {
    throw new TypeError(`'${name}' cannot name a link: 1 to ${IFNAMSIZ} bytes, not '.' or '..', without '/', ':' and blanks`);
  }
  return name;
}

/** struct ifinfomsg */
function header(family: number, index: number, flags = 0, change = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

function flagHeader(index: number, attributes: LinkAttributes): Buffer {
  let flags = 0;
  let change = 0;
  for (const [wanted, bit] of [[attributes.up, c.IFF_UP], [attributes.promisc, c.IFF_PROMISC]] as const) {
    if (wanted === undefined) continue;
    change |= bit;
    if (wanted) flags |= bit;
  }
  return header(AF_UNSPEC, index, flags, change);
}

/** Opens the namespaces that a request names for as long as the request takes: the kernel wants descriptors. */
class NetnsDescriptors implements Disposable {
  readonly #fds: number[] = [];
  open(path: string): number {
    const fd = openSync(path, 'r');
    this.#fds.push(fd);
    return fd;
  }
  [Symbol.dispose](): void { for (const fd of this.#fds) closeSync(fd); }
}

function writeAttributes(writer: NetlinkWriter, rt: NetlinkSocket, attributes: LinkChanges, netns: NetnsDescriptors): void {
  if (attributes.name !== undefined) writer.string(c.IFLA_IFNAME, checkName(attributes.name));
  if (attributes.mtu !== undefined) writer.u32(c.IFLA_MTU, attributes.mtu);
  if (attributes.mac !== undefined) writer.attribute(c.IFLA_ADDRESS, parseMac(attributes.mac));
  if (attributes.master !== undefined) writer.u32(c.IFLA_MASTER, attributes.master === null ? 0 : deviceIndex(rt, attributes.master));
  if (attributes.group !== undefined) writer.u32(c.IFLA_GROUP, attributes.group);
  if (attributes.txQueueLen !== undefined) writer.u32(c.IFLA_TXQLEN, attributes.txQueueLen);
  if (attributes.alias !== undefined) writer.attribute(c.IFLA_IFALIAS, Buffer.from(attributes.alias));
  if (attributes.netns !== undefined) writer.u32(c.IFLA_NET_NS_FD, netns.open(attributes.netns));
  const mode = attributes.addrGenMode;
  if (mode !== undefined) writer.nested(c.IFLA_AF_SPEC, (spec) => spec.nested(AF_INET6, (inet6) => inet6.u8(c.IFLA_INET6_ADDR_GEN_MODE, mode)));
}

function writeKind(writer: NetlinkWriter, rt: NetlinkSocket, spec: LinkSpec, netns: NetnsDescriptors): void {
  writer.string(c.IFLA_INFO_KIND, spec.kind);
  if (spec.kind === 'veth') {
    writer.nested(c.IFLA_INFO_DATA, (data) => data.nested(c.VETH_INFO_PEER, (peer) => {
      const { addrGenMode: _mode, up: _up, alias: _alias, ...attributes } = spec.peer;
      peer.raw(flagHeader(0, attributes));
      writeAttributes(peer, rt, attributes, netns);
    }));
  } else if (spec.kind === 'bridge') {
    writer.nested(c.IFLA_INFO_DATA, (data) => writeOptions(data, bridgeTable, spec.bridge ?? {}));
  } else if (spec.kind === 'vxlan') {
    writer.nested(c.IFLA_INFO_DATA, (data) => writeOptions(data, vxlanTable, spec.vxlan));
  }
}

/**
 * `ip link add NAME [mtu N] [address MAC] [master DEV] [group N] [netns NS] type KIND ...`, and `ip link set NAME up`.
 * For a veth pair the peer is made in its own namespace at once: `... type veth peer name NAME netns NS`. Throws EEXIST when the name is taken.
 * What the kernel takes only from a link that exists (a veth peer going up, `alias`, `addrgenmode`) follows in a second request; if that fails, the link is removed.
 */
export function addLink(rt: NetlinkSocket, spec: LinkSpec): void {
  using netns = new NetnsDescriptors();
  const { addrGenMode, alias, ...first } = spec;
  const writer = new NetlinkWriter();
  writer.raw(flagHeader(0, addrGenMode === undefined ? spec : { ...spec, up: false }));
  writeAttributes(writer, rt, first, netns);
  writer.nested(c.IFLA_LINKINFO, (info) => writeKind(info, rt, spec, netns));
  rt.request(c.RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, writer.bytes(), { operation: `ip link add ${spec.name} type ${spec.kind}` });
  try {
    if (addrGenMode !== undefined || alias !== undefined) finish(rt, spec);
    if (spec.kind === 'veth' && (spec.peer.up ?? spec.peer.addrGenMode ?? spec.peer.alias) !== undefined) finish(rt, spec.peer);
  } catch (error) {
    inNetnsOf(rt, spec, (there) => deleteLink(there, spec.name));
    throw error;
  }
}

function inNetnsOf(rt: NetlinkSocket, link: LinkAttributes, action: (there: NetlinkSocket) => void): void {
  if (link.netns === undefined) {
    action(rt);
    return;
  }
  using there = NetlinkSocket.open(NETLINK_ROUTE, { netns: link.netns, isStrict: true });
  action(there);
}

function finish(rt: NetlinkSocket, link: LinkAttributes & { readonly name: string }): void {
  inNetnsOf(rt, link, (there) => {
    const { addrGenMode, alias, up } = link;
    if (addrGenMode !== undefined || alias !== undefined) setLink(there, link.name, { ...(addrGenMode === undefined ? {} : { addrGenMode }), ...(alias === undefined ? {} : { alias }) });
    if (up !== undefined) setLink(there, link.name, { up });
  });
}

/** `ip link set dev DEV [up|down] [mtu N] [address MAC] [master BR|nomaster] [name NEW] [netns NS] [group N] [promisc on|off]` */
export function setLink(rt: NetlinkSocket, dev: Device, changes: LinkChanges): void {
  using netns = new NetnsDescriptors();
  const writer = new NetlinkWriter();
  writer.raw(flagHeader(deviceIndex(rt, dev), changes));
  writeAttributes(writer, rt, changes, netns);
  rt.request(c.RTM_NEWLINK, 0, writer.bytes(), { operation: `ip link set dev ${dev} ${Object.entries(changes).map(([key, value]) => `${key} ${String(value)}`).join(' ')}` });
}

/** `ip link set dev DEV type bridge OPTION VALUE ...` */
export function setBridge(rt: NetlinkSocket, dev: Device, options: BridgeOptions): void {
  const writer = new NetlinkWriter();
  writer.raw(header(AF_UNSPEC, deviceIndex(rt, dev)));
  writer.nested(c.IFLA_LINKINFO, (info) => {
    info.string(c.IFLA_INFO_KIND, 'bridge').nested(c.IFLA_INFO_DATA, (data) => writeOptions(data, bridgeTable, options));
  });
  rt.request(c.RTM_NEWLINK, 0, writer.bytes(), { operation: `ip link set dev ${dev} type bridge` });
}

/** `bridge link set dev DEV [hairpin on] [isolated on] [learning off] ...` */
export function setBridgePort(rt: NetlinkSocket, dev: Device, options: BridgePortOptions): void {
  const IFLA_PROTINFO = 12;
  const writer = new NetlinkWriter();
  writer.raw(header(AF_BRIDGE, deviceIndex(rt, dev)));
  writer.nested(IFLA_PROTINFO, (port) => writeOptions(port, bridgePortTable, options));
  rt.request(c.RTM_SETLINK, 0, writer.bytes(), { operation: `bridge link set dev ${dev} ${Object.entries(options).map(([key, value]) => `${key} ${String(value)}`).join(' ')}` });
}

/** `ip link del dev DEV`; both ends of a veth pair go. Throws ENODEV when it is not there. */
export function deleteLink(rt: NetlinkSocket, dev: Device): void {
  rt.request(c.RTM_DELLINK, 0, header(AF_UNSPEC, deviceIndex(rt, dev)), { operation: `ip link del dev ${dev}` });
}

/** `ip link del group N`: all of them in one kernel operation, which costs about as much as one alone. */
export function deleteLinkGroup(rt: NetlinkSocket, group: number): void {
  const writer = new NetlinkWriter();
  writer.raw(header(AF_UNSPEC, 0)).u32(c.IFLA_GROUP, group);
  rt.request(c.RTM_DELLINK, 0, writer.bytes(), { operation: `ip link del group ${group}` });
}

/** `ip -d link show dev DEV`; undefined when there is none. */
export function getLink(rt: NetlinkSocket, dev: Device): Link | undefined {
  const reply = askLink(rt, dev);
  return reply === undefined ? undefined : parseLink(reply);
}

function askLink(rt: NetlinkSocket, dev: Device): NetlinkMessage | undefined {
  const writer = new NetlinkWriter();
  writer.raw(header(AF_UNSPEC, typeof dev === 'number' ? dev : 0));
  if (typeof dev === 'string') writer.string(c.IFLA_IFNAME, checkName(dev));
  writer.u32(c.IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  try {
    const [reply] = rt.request(c.RTM_GETLINK, 0, writer.bytes(), { operation: `ip link show dev ${dev}` });
    return reply;
  } catch (error) {
    if (isNetlinkError(error, 'ENODEV')) return undefined;
    throw error;
  }
}

/** `ip -d link show [master DEV] [type KIND]`: the kernel filters. */
export function listLinks(rt: NetlinkSocket, filter: { readonly master?: Device; readonly kind?: string } = {}): Link[] {
  const writer = new NetlinkWriter();
  writer.raw(header(AF_UNSPEC, 0)).u32(c.IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  const { master, kind } = filter;
  if (master !== undefined) writer.u32(c.IFLA_MASTER, deviceIndex(rt, master));
  if (kind !== undefined) writer.nested(c.IFLA_LINKINFO, (info) => info.string(c.IFLA_INFO_KIND, kind));
  return rt.request(c.RTM_GETLINK, NLM_F_DUMP, writer.bytes(), { operation: 'ip link show' }).map(parseLink)
    .filter((link) => kind === undefined || link.kind === kind);
}

/** ifindex of a device. Throws ENODEV, naming it, when there is none. */
export function deviceIndex(rt: NetlinkSocket, dev: Device): number {
  if (typeof dev === 'number') return dev;
  // struct ifinfomsg says it: the attributes, of which a link has sixty, need not be read.
  const reply = askLink(rt, dev);
  if (reply === undefined) throw new NetlinkError(`ip link show dev ${dev}`, 19, { kernelText: `there is no device '${dev}' in this network namespace` });
  return reply.payload.readInt32LE(4);
}

/** Reads an RTM_NEWLINK (or RTM_DELLINK) message: an answer, or an event of RTNLGRP_LINK. */
export function parseLink(message: NetlinkMessage): Link {
  const { payload } = message;
  const attributes = new Attributes(payload.subarray(16));
  const mac = attributes.bytes(c.IFLA_ADDRESS);
  const flags = payload.readUInt32LE(8);
  const info = attributes.nested(c.IFLA_LINKINFO);
  const kind = info?.string(c.IFLA_INFO_KIND);
  const data = info?.nested(c.IFLA_INFO_DATA);
  const portData = info?.string(c.IFLA_INFO_SLAVE_KIND) === 'bridge' ? info.nested(c.IFLA_INFO_SLAVE_DATA) : undefined;
  return {
    index: payload.readInt32LE(4),
    name: attributes.string(c.IFLA_IFNAME) ?? '',
    kind,
    mtu: attributes.u32(c.IFLA_MTU) ?? 0,
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    flags,
    isUp: (flags & c.IFF_UP) !== 0,
    operState: operStates[attributes.u8(c.IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    master: attributes.u32(c.IFLA_MASTER),
    link: attributes.u32(c.IFLA_LINK),
    linkNetnsId: attributes.i32(c.IFLA_LINK_NETNSID),
    group: attributes.u32(c.IFLA_GROUP) ?? 0,
    txQueueLen: attributes.u32(c.IFLA_TXQLEN),
    alias: attributes.string(c.IFLA_IFALIAS),
    promiscuity: attributes.u32(c.IFLA_PROMISCUITY) ?? 0,
    ...(kind === 'bridge' && data !== undefined ? { bridge: readOptions<Required<BridgeOptions>>(bridgeTable, data) } : {}),
    ...(kind === 'vxlan' && data !== undefined ? { vxlan: readOptions<Required<VxlanOptions>>(vxlanTable, data) } : {}),
    ...(portData === undefined ? {} : { port: readOptions<Required<BridgePortOptions>>(bridgePortTable, portData) }),
  };
}
