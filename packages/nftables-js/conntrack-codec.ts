import { nested, parseAttributes, u16, u32, u64, u8 } from './attributes.ts';
import type { Attributes } from './attributes.ts';
import { readIPv4, readIPv6, writeIPv4, writeIPv6 } from './fields.ts';
import type { MessageWriter } from './writer.ts';

const CTA = { original: 1, reply: 2, status: 3, protoInfo: 4, timeout: 7, mark: 8, countersOriginal: 9, countersReply: 10, id: 12, zone: 18 } as const;
const TUPLE_IP = 1, TUPLE_PROTO = 2;
const IP_V4_SRC = 1, IP_V4_DST = 2, IP_V6_SRC = 3, IP_V6_DST = 4;
const PROTO = { number: 1, srcPort: 2, dstPort: 3, icmpId: 4, icmpType: 5, icmpCode: 6, icmpv6Id: 7, icmpv6Type: 8, icmpv6Code: 9 } as const;

/** One direction of a connection. */
export interface ConntrackTuple {
  readonly src: string;
  readonly dst: string;
  /** TCP, UDP, SCTP. */
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly icmp?: { readonly id: number; readonly type: number; readonly code: number };
}

export interface ConntrackCounters {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface ConntrackEntry {
  readonly family: 'ip' | 'ip6';
  /** IP protocol number. */
  readonly protocol: number;
  readonly original: ConntrackTuple;
  /** What answers look like: its source is where DNAT sent the connection, the truth about its backend. */
  readonly reply: ConntrackTuple;
  readonly id: number;
  readonly mark: number;
  readonly status: number;
  readonly flags: readonly ConntrackStatus[];
  readonly zone: number;
  readonly timeoutSeconds?: number;
  readonly tcpState?: string;
  /** Only with net.netfilter.nf_conntrack_acct=1. */
  readonly counters?: { readonly original: ConntrackCounters; readonly reply: ConntrackCounters };
}

/** enum ip_conntrack_status, by bit. */
const STATUS = ['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED', 'SRC_NAT', 'DST_NAT', 'SEQ_ADJUST', 'SRC_NAT_DONE', 'DST_NAT_DONE', 'DYING', 'FIXED_TIMEOUT', 'TEMPLATE', 'UNTRACKED', 'HELPER', 'OFFLOAD', 'HW_OFFLOAD'] as const;
export type ConntrackStatus = (typeof STATUS)[number];
const TCP_STATES = ['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2'] as const;

/** Every given field must match. Addresses in canonical text (RFC 5952). */
export interface ConntrackFilter {
  readonly family?: 'ip' | 'ip6';
  readonly protocol?: number;
  readonly mark?: { readonly value: number; readonly mask?: number };
  readonly originalSrc?: string;
  readonly originalDst?: string;
  readonly originalDstPort?: number;
  /** The backend after DNAT. */
  readonly replySrc?: string;
  readonly replySrcPort?: number;
}

export function matchesConntrack(entry: ConntrackEntry, filter: ConntrackFilter): boolean {
  const { original, reply } = entry;
  const same = <T>(wanted: T | undefined, value: T | undefined): boolean => wanted === undefined || wanted === value;
  const mark = filter.mark;
  return same(filter.family, entry.family) && same(filter.protocol, entry.protocol) && same(filter.originalSrc, original.src)
    && same(filter.originalDst, original.dst) && same(filter.originalDstPort, original.dstPort)
    && same(filter.replySrc, reply.src) && same(filter.replySrcPort, reply.srcPort)
    && (mark === undefined || ((entry.mark ^ mark.value) & (mark.mask ?? 0xffffffff)) === 0);
}

/** The payload of a conntrack message: nfgenmsg, then CTA_* attributes. */
export function parseConntrack(payload: Buffer): ConntrackEntry {
  const attributes = parseAttributes(payload, 4);
  const status = u32(attributes, CTA.status) ?? 0;
  const originalTuple = nested(attributes, CTA.original);
  const timeout = u32(attributes, CTA.timeout);
  const tcpState = u8(nested(nested(attributes, CTA.protoInfo), 1), 1);
  const name = tcpState === undefined ? undefined : TCP_STATES[tcpState];
  return {
    family: payload[0] === 10 ? 'ip6' : 'ip',
    protocol: u8(nested(originalTuple, TUPLE_PROTO), PROTO.number) ?? 0,
    original: parseTuple(originalTuple),
    reply: parseTuple(nested(attributes, CTA.reply)),
    id: u32(attributes, CTA.id) ?? 0,
    mark: u32(attributes, CTA.mark) ?? 0,
    status,
    flags: STATUS.filter((_, bit) => (status & (1 << bit)) !== 0),
    zone: u16(attributes, CTA.zone) ?? 0,
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
    ...(name === undefined ? {} : { tcpState: name }),
    ...(attributes.has(CTA.countersOriginal) ? { counters: { original: parseCounters(nested(attributes, CTA.countersOriginal)), reply: parseCounters(nested(attributes, CTA.countersReply)) } } : {}),
  };
}

function parseCounters(attributes: Attributes): ConntrackCounters {
  return { packets: u64(attributes, 1) ?? 0n, bytes: u64(attributes, 2) ?? 0n };
}

function parseTuple(tuple: Attributes): ConntrackTuple {
  const ip = nested(tuple, TUPLE_IP);
  const proto = nested(tuple, TUPLE_PROTO);
  const address = (v4: number, v6: number): string => {
    const four = ip.get(v4);
    const six = ip.get(v6);
    return four?.length === 4 ? readIPv4(four, 0) : six?.length === 16 ? readIPv6(six, 0) : '';
  };
  const srcPort = u16(proto, PROTO.srcPort);
  const dstPort = u16(proto, PROTO.dstPort);
  const icmpId = u16(proto, PROTO.icmpId) ?? u16(proto, PROTO.icmpv6Id);
  return {
    src: address(IP_V4_SRC, IP_V6_SRC),
    dst: address(IP_V4_DST, IP_V6_DST),
    ...(srcPort === undefined ? {} : { srcPort }),
    ...(dstPort === undefined ? {} : { dstPort }),
    ...(icmpId === undefined ? {} : { icmp: { id: icmpId, type: u8(proto, PROTO.icmpType) ?? u8(proto, PROTO.icmpv6Type) ?? 0, code: u8(proto, PROTO.icmpCode) ?? u8(proto, PROTO.icmpv6Code) ?? 0 } }),
  };
}

/** CTA_TUPLE_ORIG, and CTA_ZONE when there is one: what names a connection in a request. */
export function writeConntrackTuple(writer: MessageWriter, entry: Pick<ConntrackEntry, 'family' | 'original' | 'protocol' | 'zone'>): void {
  const { family, original, protocol, zone } = entry;
  const isV6 = family === 'ip6';
  const bytes = (address: string): Buffer => {
    const target = Buffer.alloc(isV6 ? 16 : 4);
    (isV6 ? writeIPv6 : writeIPv4)(target, 0, address);
    return target;
  };
  const tuple = writer.beginNested(CTA.original);
  const ip = writer.beginNested(TUPLE_IP);
  writer.raw(isV6 ? IP_V6_SRC : IP_V4_SRC, bytes(original.src));
  writer.raw(isV6 ? IP_V6_DST : IP_V4_DST, bytes(original.dst));
  writer.endNested(ip);
  const proto = writer.beginNested(TUPLE_PROTO);
  writer.u8(PROTO.number, protocol);
  if (original.srcPort !== undefined) writer.u16be(PROTO.srcPort, original.srcPort);
  if (original.dstPort !== undefined) writer.u16be(PROTO.dstPort, original.dstPort);
  if (original.icmp !== undefined) {
    writer.u16be(isV6 ? PROTO.icmpv6Id : PROTO.icmpId, original.icmp.id);
    writer.u8(isV6 ? PROTO.icmpv6Type : PROTO.icmpType, original.icmp.type);
    writer.u8(isV6 ? PROTO.icmpv6Code : PROTO.icmpCode, original.icmp.code);
  }
  writer.endNested(proto);
  writer.endNested(tuple);
  if (zone !== 0) writer.u16be(CTA.zone, zone);
}
