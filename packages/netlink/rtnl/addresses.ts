// Addresses of links. Every function's doc is its command.
import { Attributes } from '../attributes.ts';
import { formatIp, parsePrefix } from '../ip-bytes.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkMessage } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { NetlinkWriter } from '../writer.ts';
import { RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from './constants.ts';
import type { Device } from './link-types.ts';
import { deviceIndex } from './links.ts';

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_NOPREFIXROUTE = 0x200;
const SCOPE_HOST = 254;

export interface AddressOptions {
  /** `nodad`: the IPv6 address is usable at once. */
  readonly nodad?: boolean;
  /** `noprefixroute`: no connected route comes with the address. */
  readonly noprefixroute?: boolean;
  /** The far end of a point-to-point link. */
  readonly peer?: string;
  readonly broadcast?: string;
  /** 0 global, 253 link, 254 host. Default: what the address says. */
  readonly scope?: number;
}

export interface Address {
  readonly index: number;
  /** 'IP/PREFIX', as `ip addr` shows it. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly peer: string | undefined;
  readonly scope: number;
  readonly label: string | undefined;
  /** Duplicate address detection still runs, or failed. */
  readonly isTentative: boolean;
  readonly isDadFailed: boolean;
  readonly flags: number;
}

function encode(rt: NetlinkSocket, dev: Device, cidr: string, options: AddressOptions): Buffer {
  const { address, length } = parsePrefix(cidr);
  const isV4 = address.length === 4;
  const head = Buffer.alloc(8);
  head.writeUInt8(isV4 ? AF_INET : AF_INET6, 0);
  head.writeUInt8(length, 1);
  head.writeUInt8(options.scope ?? (isV4 && address[0] === 127 ? SCOPE_HOST : 0), 3);
  head.writeUInt32LE(deviceIndex(rt, dev), 4);
  const writer = new NetlinkWriter();
  writer.raw(head).attribute(IFA_LOCAL, address);
  writer.attribute(IFA_ADDRESS, options.peer === undefined ? address : parsePrefix(options.peer).address);
  if (options.broadcast !== undefined) writer.attribute(IFA_BROADCAST, parsePrefix(options.broadcast).address);
  const flags = (options.nodad === true ? IFA_F_NODAD : 0) | (options.noprefixroute === true ? IFA_F_NOPREFIXROUTE : 0);
  if (flags !== 0) writer.u32(IFA_FLAGS, flags);
  return writer.bytes();
}

/** `ip addr add CIDR dev DEV [nodad] [noprefixroute]`; EEXIST when it is there. */
export function addAddress(rt: NetlinkSocket, dev: Device, cidr: string, options: AddressOptions = {}): void {
  rt.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, encode(rt, dev, cidr, options), { operation: `ip addr add ${cidr} dev ${dev}` });
}

/** `ip addr replace CIDR dev DEV` */
export function replaceAddress(rt: NetlinkSocket, dev: Device, cidr: string, options: AddressOptions = {}): void {
  rt.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, encode(rt, dev, cidr, options), { operation: `ip addr replace ${cidr} dev ${dev}` });
}

/** `ip addr del CIDR dev DEV`; EADDRNOTAVAIL when it is not there. */
export function deleteAddress(rt: NetlinkSocket, dev: Device, cidr: string): void {
  rt.request(RTM_DELADDR, 0, encode(rt, dev, cidr, {}), { operation: `ip addr del ${cidr} dev ${dev}` });
}

/** `ip addr show [dev DEV]`, both families. */
export function listAddresses(rt: NetlinkSocket, filter: { readonly dev?: Device; readonly family?: 4 | 6 } = {}): Address[] {
  const families = filter.family === undefined ? [AF_INET, AF_INET6] : [filter.family === 4 ? AF_INET : AF_INET6];
  const index = filter.dev === undefined ? 0 : deviceIndex(rt, filter.dev);
  return families.flatMap((family) => {
    const head = Buffer.alloc(8);
    head.writeUInt8(family, 0);
    head.writeUInt32LE(index, 4);
    return rt.request(RTM_GETADDR, NLM_F_DUMP, head, { operation: 'ip addr show' }).map(parseAddress);
  }).filter((address) => index === 0 || address.index === index);
}

/** Reads an RTM_NEWADDR or RTM_DELADDR message. */
export function parseAddress(message: NetlinkMessage): Address {
  const { payload } = message;
  const attributes = new Attributes(payload.subarray(8));
  const local = attributes.bytes(IFA_LOCAL);
  const address = attributes.bytes(IFA_ADDRESS) ?? Buffer.alloc(4);
  const own = local ?? address;
  const flags = attributes.u32(IFA_FLAGS) ?? payload.readUInt8(2);
  return {
    index: payload.readUInt32LE(4),
    address: `${formatIp(own)}/${payload.readUInt8(1)}`,
    family: payload.readUInt8(0) === AF_INET ? 4 : 6,
    peer: local !== undefined && !local.equals(address) ? formatIp(address) : undefined,
    scope: payload.readUInt8(3),
    label: attributes.string(IFA_LABEL),
    isTentative: (flags & IFA_F_TENTATIVE) !== 0,
    isDadFailed: (flags & IFA_F_DADFAILED) !== 0,
    flags,
  };
}
