// Routes. Every function's doc is its command.
import { Attributes, eachAttribute } from '../attributes.ts';
import { isNetlinkError } from '../errors.ts';
import { formatIp, parseIp, parsePrefix } from '../ip-bytes.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import type { NetlinkMessage } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { NetlinkWriter } from '../writer.ts';
import { RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE } from './constants.ts';
import type { Device } from './link-types.ts';
import { deviceIndex } from './links.ts';

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RTM_F_FIB_MATCH = 0x2000;

const types = ['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'nat'] as const;
export type RouteType = (typeof types)[number];
const scopes: ReadonlyMap<string, number> = new Map([['global', 0], ['site', 200], ['link', 253], ['host', 254], ['nowhere', 255]]);
const scopeNames = new Map([...scopes].map(([name, value]) => [value, name]));
/** rt_protos: who made the route. */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;
export const RT_TABLE_MAIN = 254;

export interface RouteSpec {
  /** 'default', or a prefix: '10.244.1.0/24', 'fd00::/64'. For 'default' the family comes from `via` or `family`. */
  readonly to: string;
  readonly dev?: Device;
  readonly via?: string;
  readonly src?: string;
  /** The gateway need not lie in a connected network. */
  readonly onlink?: boolean;
  readonly mtu?: number;
  readonly advmss?: number;
  /** The metric. */
  readonly priority?: number;
  /** Default 254, main. */
  readonly table?: number;
  readonly type?: RouteType;
  /** 'global', 'link', 'host', or a number. Default: link without a gateway, global with one. */
  readonly scope?: string | number;
  /** Default RTPROT_STATIC. An owner may mark its routes with a number of its own and list them by it. */
  readonly protocol?: number;
  readonly family?: 4 | 6;
}

export interface RouteHop { readonly dev: number; readonly via: string | undefined; readonly weight: number }

export interface Route {
  readonly to: string;
  readonly family: 4 | 6;
  readonly dev: number | undefined;
  readonly via: string | undefined;
  readonly src: string | undefined;
  readonly onlink: boolean;
  readonly mtu: number | undefined;
  readonly advmss: number | undefined;
  readonly priority: number;
  readonly table: number;
  readonly type: string;
  readonly scope: string;
  readonly protocol: number;
  readonly multipath: readonly RouteHop[];
}

function familyOf(spec: RouteSpec): 4 | 6 {
  if (spec.to !== 'default') return spec.to.includes(':') ? 6 : 4;
  return spec.family ?? ((spec.via ?? spec.src ?? '').includes(':') ? 6 : 4);
}

function scopeOf(spec: RouteSpec, family: 4 | 6): number {
  if (typeof spec.scope === 'number') return spec.scope;
  if (spec.scope !== undefined) {
    const scope = scopes.get(spec.scope);
    if (scope === undefined) throw new TypeError(`route to ${spec.to}: '${spec.scope}' is no scope (${[...scopes.keys()].join(', ')})`);
    return scope;
  }
  if (spec.type === 'local') return 254;
  return family === 4 && spec.via === undefined && (spec.type ?? 'unicast') === 'unicast' ? 253 : 0;
}

function encode(rt: NetlinkSocket, spec: RouteSpec, isDelete: boolean): Buffer {
  const family = familyOf(spec);
  const destination = spec.to === 'default' ? undefined : parsePrefix(spec.to);
  const table = spec.table ?? RT_TABLE_MAIN;
  const head = Buffer.alloc(12);
  head.writeUInt8(family === 4 ? AF_INET : AF_INET6, 0);
  head.writeUInt8(destination?.length ?? 0, 1);
  head.writeUInt8(table < 256 ? table : 0, 4);
  // Deletion: an unset protocol, scope or type matches any.
  head.writeUInt8(spec.protocol ?? (isDelete ? 0 : RTPROT_STATIC), 5);
  head.writeUInt8(isDelete && spec.scope === undefined ? 255 : scopeOf(spec, family), 6);
  head.writeUInt8(spec.type === undefined ? (isDelete ? 0 : 1) : types.indexOf(spec.type), 7);
  head.writeUInt32LE(spec.onlink === true ? RTNH_F_ONLINK : 0, 8);
  const writer = new NetlinkWriter();
  writer.raw(head);
  if (destination !== undefined && destination.length > 0) writer.attribute(RTA_DST, destination.address);
  if (table >= 256) writer.u32(RTA_TABLE, table);
  if (spec.dev !== undefined) writer.u32(RTA_OIF, deviceIndex(rt, spec.dev));
  if (spec.via !== undefined) writer.attribute(RTA_GATEWAY, parseIp(spec.via));
  if (spec.src !== undefined) writer.attribute(RTA_PREFSRC, parseIp(spec.src));
  if (spec.priority !== undefined) writer.u32(RTA_PRIORITY, spec.priority);
  const { mtu, advmss } = spec;
  if (!isDelete && (mtu !== undefined || advmss !== undefined)) {
    writer.nested(RTA_METRICS, (metrics) => {
      if (mtu !== undefined) metrics.u32(RTAX_MTU, mtu);
      if (advmss !== undefined) metrics.u32(RTAX_ADVMSS, advmss);
    });
  }
  return writer.bytes();
}

const words = (spec: RouteSpec): string => [
  spec.type !== undefined && spec.type !== 'unicast' ? spec.type : '', spec.to, spec.via === undefined ? '' : `via ${spec.via}`, spec.dev === undefined ? '' : `dev ${spec.dev}`, spec.onlink === true ? 'onlink' : '',
].filter((word) => word !== '').join(' ');

/** `ip route add [TYPE] TO [via IP] [dev DEV] [src IP] [onlink] [mtu N] [advmss N] [metric N] [table N] [scope S]`; EEXIST when it is there. */
export function addRoute(rt: NetlinkSocket, spec: RouteSpec): void {
  rt.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, encode(rt, spec, false), { operation: `ip route add ${words(spec)}` });
}

/** `ip route replace ...`: adds, or atomically takes the place of the route with the same destination, table and metric. */
export function replaceRoute(rt: NetlinkSocket, spec: RouteSpec): void {
  rt.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, encode(rt, spec, false), { operation: `ip route replace ${words(spec)}` });
}

/** `ip route del ...`; ESRCH when it is not there. */
export function deleteRoute(rt: NetlinkSocket, spec: RouteSpec): void {
  rt.request(RTM_DELROUTE, 0, encode(rt, spec, true), { operation: `ip route del ${words(spec)}` });
}

/** `ip route show table N [dev DEV] [proto P]`; both families unless told. Cached and local-table routes are left out unless asked for. */
export function listRoutes(rt: NetlinkSocket, filter: { readonly table?: number; readonly dev?: Device; readonly family?: 4 | 6; readonly protocol?: number } = {}): Route[] {
  const families = filter.family === undefined ? [AF_INET, AF_INET6] : [filter.family === 4 ? AF_INET : AF_INET6];
  const table = filter.table ?? RT_TABLE_MAIN;
  const dev = filter.dev === undefined ? undefined : deviceIndex(rt, filter.dev);
  const routes = families.flatMap((family) => {
    const head = Buffer.alloc(12);
    head.writeUInt8(family, 0);
    const writer = new NetlinkWriter();
    writer.raw(head).u32(RTA_TABLE, table);
    if (dev !== undefined) writer.u32(RTA_OIF, dev);
    try {
      return rt.request(RTM_GETROUTE, NLM_F_DUMP, writer.bytes(), { operation: 'ip route show' });
    } catch (error) {
      // A table in which nobody has put a route yet does not exist for the kernel.
      if (isNetlinkError(error, 'ENOENT')) return [];
      throw error;
    }
  });
  return routes.filter((message) => (message.payload.readUInt32LE(8) & RTM_F_CLONED) === 0).map(parseRoute)
    .filter((route) => route.table === table && (dev === undefined || route.dev === dev) && (filter.protocol === undefined || route.protocol === filter.protocol));
}

/** `ip route get IP`: what the kernel would do now. With `isFibMatch`, the table's own entry (`ip route get fibmatch IP`). Throws ENETUNREACH and the like. */
export function getRoute(rt: NetlinkSocket, ip: string, options: { readonly isFibMatch?: boolean } = {}): Route {
  const address = parseIp(ip);
  const head = Buffer.alloc(12);
  head.writeUInt8(address.length === 4 ? AF_INET : AF_INET6, 0);
  head.writeUInt8(address.length * 8, 1);
  head.writeUInt32LE(options.isFibMatch === true ? RTM_F_FIB_MATCH : 0, 8);
  const writer = new NetlinkWriter();
  writer.raw(head).attribute(RTA_DST, address);
  const [reply] = rt.request(RTM_GETROUTE, 0, writer.bytes(), { operation: `ip route get ${ip}` });
  if (reply === undefined) throw new Error(`ip route get ${ip}: the kernel sent no answer`);
  return parseRoute(reply);
}

/** struct rtnexthop, repeated. */
function parseMultipath(bytes: Buffer): RouteHop[] {
  const hops: RouteHop[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 8) break;
    const gateway = [...eachAttribute(bytes.subarray(at + 8, at + length))].find(({ type }) => type === RTA_GATEWAY);
    hops.push({ dev: bytes.readInt32LE(at + 4), via: gateway === undefined ? undefined : formatIp(gateway.value), weight: bytes.readUInt8(at + 3) + 1 });
    at += (length + 3) & ~3;
  }
  return hops;
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE message. */
export function parseRoute(message: NetlinkMessage): Route {
  const { payload } = message;
  const attributes = new Attributes(payload.subarray(12));
  const length = payload.readUInt8(1);
  const destination = attributes.bytes(RTA_DST);
  const family = payload.readUInt8(0) === AF_INET ? 4 : 6;
  const gateway = attributes.bytes(RTA_GATEWAY);
  const source = attributes.bytes(RTA_PREFSRC);
  const metrics = attributes.nested(RTA_METRICS);
  const multipath = attributes.bytes(RTA_MULTIPATH);
  const scope = payload.readUInt8(6);
  return {
    to: destination === undefined ? (length === 0 ? 'default' : `${family === 4 ? '0.0.0.0' : '::'}/${length}`) : `${formatIp(destination)}/${length}`,
    family,
    dev: attributes.u32(RTA_OIF),
    via: gateway === undefined ? undefined : formatIp(gateway),
    src: source === undefined ? undefined : formatIp(source),
    onlink: (payload.readUInt32LE(8) & RTNH_F_ONLINK) !== 0,
    mtu: metrics?.u32(RTAX_MTU),
    advmss: metrics?.u32(RTAX_ADVMSS),
    priority: attributes.u32(RTA_PRIORITY) ?? 0,
    table: attributes.u32(RTA_TABLE) ?? payload.readUInt8(4),
    type: types[payload.readUInt8(7)] ?? 'unspec',
    scope: scopeNames.get(scope) ?? String(scope),
    protocol: payload.readUInt8(5),
    multipath: multipath === undefined ? [] : parseMultipath(multipath),
  };
}
