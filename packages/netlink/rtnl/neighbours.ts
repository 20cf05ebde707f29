// Neighbours (ARP, NDP) and forwarding entries (FDB): the same message, told apart by the family. Every function's doc is its command.
import { Attributes } from '../attributes.ts';
import { formatIp, formatMac, parseIp, parseMac } from '../ip-bytes.ts';
import { AF_BRIDGE, AF_INET, AF_INET6 } from '../libc.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkMessage } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { NetlinkWriter } from '../writer.ts';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from './constants.ts';
import type { Device } from './link-types.ts';
import { deviceIndex } from './links.ts';

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_VLAN = 5;
const NDA_PORT = 6;
const NDA_VNI = 7;
const NDA_IFINDEX = 8;
const NDA_MASTER = 9;
const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;

/** Neighbour states (linux/neighbour.h), as bits. */
export const NUD_REACHABLE = 0x02;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

export interface Neighbour {
  readonly index: number;
  readonly family: 4 | 6;
  readonly ip: string;
  readonly mac: string | undefined;
  readonly state: number;
  readonly isPermanent: boolean;
}

export interface FdbEntry {
  readonly index: number;
  readonly mac: string;
  /** The remote VTEP, on a VXLAN device. */
  readonly dst: string | undefined;
  readonly port: number | undefined;
  readonly vni: number | undefined;
  readonly vlan: number | undefined;
  /** The bridge, for entries of a port. */
  readonly master: number | undefined;
  /** `self`: the device's own table (VXLAN), not the bridge's. */
  readonly isSelf: boolean;
  readonly state: number;
  readonly isPermanent: boolean;
}

export interface FdbSpec {
  readonly mac: string;
  readonly dst?: string;
  readonly port?: number;
  readonly vni?: number;
  /** Which table: the device's own ('self', default) or its bridge's. */
  readonly of?: 'self' | 'master';
}

/** struct ndmsg */
function header(family: number, index: number, state: number, flags: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(family, 0);
  head.writeInt32LE(index, 4);
  head.writeUInt16LE(state, 8);
  head.writeUInt8(flags, 10);
  return head;
}

/** `ip neigh replace IP lladdr MAC dev DEV nud permanent` */
export function replaceNeighbour(rt: NetlinkSocket, dev: Device, ip: string, mac: string, state = NUD_PERMANENT): void {
  const address = parseIp(ip);
  const writer = new NetlinkWriter();
  writer.raw(header(address.length === 4 ? AF_INET : AF_INET6, deviceIndex(rt, dev), state, 0)).attribute(NDA_DST, address).attribute(NDA_LLADDR, parseMac(mac));
  rt.request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, writer.bytes(), { operation: `ip neigh replace ${ip} lladdr ${mac} dev ${dev}` });
}

/** `ip neigh del IP dev DEV`; ENOENT when it is not there. */
export function deleteNeighbour(rt: NetlinkSocket, dev: Device, ip: string): void {
  const address = parseIp(ip);
  const writer = new NetlinkWriter();
  writer.raw(header(address.length === 4 ? AF_INET : AF_INET6, deviceIndex(rt, dev), 0, 0)).attribute(NDA_DST, address);
  rt.request(RTM_DELNEIGH, 0, writer.bytes(), { operation: `ip neigh del ${ip} dev ${dev}` });
}

/** `ip neigh show [dev DEV]`, both families, without the kernel's own NOARP entries. */
export function listNeighbours(rt: NetlinkSocket, filter: { readonly dev?: Device; readonly family?: 4 | 6 } = {}): Neighbour[] {
  const families = filter.family === undefined ? [AF_INET, AF_INET6] : [filter.family === 4 ? AF_INET : AF_INET6];
  const index = filter.dev === undefined ? undefined : deviceIndex(rt, filter.dev);
  return families.flatMap((family) => {
    const writer = new NetlinkWriter();
    writer.raw(header(family, 0, 0, 0));
    if (index !== undefined) writer.u32(NDA_IFINDEX, index);
    return rt.request(RTM_GETNEIGH, NLM_F_DUMP, writer.bytes(), { operation: 'ip neigh show' }).map(parseNeighbour);
  }).filter((entry) => (entry.state & NUD_NOARP) === 0 && (index === undefined || entry.index === index));
}

function fdbRequest(rt: NetlinkSocket, type: number, flags: number, dev: Device, spec: FdbSpec, verb: string): void {
  const writer = new NetlinkWriter();
  writer.raw(header(AF_BRIDGE, deviceIndex(rt, dev), type === RTM_NEWNEIGH ? NUD_PERMANENT | NUD_NOARP : 0, spec.of === 'master' ? NTF_MASTER : NTF_SELF));
  writer.attribute(NDA_LLADDR, parseMac(spec.mac));
  if (spec.dst !== undefined) writer.attribute(NDA_DST, parseIp(spec.dst));
  if (spec.port !== undefined) writer.be16(NDA_PORT, spec.port);
  if (spec.vni !== undefined) writer.u32(NDA_VNI, spec.vni);
  rt.request(type, flags, writer.bytes(), { operation: `bridge fdb ${verb} ${spec.mac} dev ${dev}${spec.dst === undefined ? '' : ` dst ${spec.dst}`} ${spec.of ?? 'self'}` });
}

/** `bridge fdb add MAC dev DEV dst IP self permanent`; EEXIST when it is there. */
export function addFdb(rt: NetlinkSocket, dev: Device, spec: FdbSpec): void {
  fdbRequest(rt, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, dev, spec, 'add');
}

/** `bridge fdb replace MAC dev DEV dst IP self permanent`: this destination instead of the one it had. */
export function replaceFdb(rt: NetlinkSocket, dev: Device, spec: FdbSpec): void {
  fdbRequest(rt, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, dev, spec, 'replace');
}

/** `bridge fdb append MAC dev DEV dst IP self permanent`: one more destination (for 00:00:00:00:00:00, the flood list). */
export function appendFdb(rt: NetlinkSocket, dev: Device, spec: FdbSpec): void {
  fdbRequest(rt, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, dev, spec, 'append');
}

/** `bridge fdb del MAC dev DEV dst IP self`; ENOENT when it is not there. */
export function deleteFdb(rt: NetlinkSocket, dev: Device, spec: FdbSpec): void {
  fdbRequest(rt, RTM_DELNEIGH, 0, dev, spec, 'del');
}

/** `bridge fdb show dev DEV` (a port or a VXLAN device), or with `br` the whole bridge. */
export function listFdb(rt: NetlinkSocket, filter: { readonly dev?: Device; readonly br?: Device } = {}): FdbEntry[] {
  const index = filter.dev === undefined ? 0 : deviceIndex(rt, filter.dev);
  const writer = new NetlinkWriter();
  writer.raw(header(AF_BRIDGE, index, 0, 0));
  if (filter.br !== undefined) writer.u32(NDA_MASTER, deviceIndex(rt, filter.br));
  return rt.request(RTM_GETNEIGH, NLM_F_DUMP, writer.bytes(), { operation: 'bridge fdb show' }).map(parseFdb).filter((entry) => index === 0 || entry.index === index);
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH message of family AF_INET or AF_INET6. */
export function parseNeighbour(message: NetlinkMessage): Neighbour {
  const { payload } = message;
  const attributes = new Attributes(payload.subarray(12));
  const mac = attributes.bytes(NDA_LLADDR);
  const state = payload.readUInt16LE(8);
  return {
    index: payload.readInt32LE(4),
    family: payload.readUInt8(0) === AF_INET ? 4 : 6,
    ip: formatIp(attributes.bytes(NDA_DST) ?? Buffer.alloc(4)),
    mac: mac?.length === 6 ? formatMac(mac) : undefined,
    state,
    isPermanent: (state & NUD_PERMANENT) !== 0,
  };
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH message of family AF_BRIDGE. */
export function parseFdb(message: NetlinkMessage): FdbEntry {
  const { payload } = message;
  const attributes = new Attributes(payload.subarray(12));
  const dst = attributes.bytes(NDA_DST);
  const state = payload.readUInt16LE(8);
  return {
    index: payload.readInt32LE(4),
    mac: formatMac(attributes.bytes(NDA_LLADDR) ?? Buffer.alloc(6)),
    dst: dst === undefined ? undefined : formatIp(dst),
    port: attributes.be16(NDA_PORT),
    vni: attributes.u32(NDA_VNI),
    vlan: attributes.u16(NDA_VLAN),
    master: attributes.u32(NDA_MASTER),
    isSelf: (payload.readUInt8(10) & NTF_SELF) !== 0,
    state,
    isPermanent: (state & NUD_PERMANENT) !== 0,
  };
}

/** True for forwarding entries, false for ARP/NDP: RTNLGRP_NEIGH carries both. */
export const isFdbMessage = (message: NetlinkMessage): boolean => message.payload.readUInt8(0) === AF_BRIDGE;
