// From bytes to what a person calls a packet: Ethernet, IPv4/IPv6, TCP, UDP, ICMP, and VXLAN with the packet inside. Pure.
// Sources: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 7348.
import { ipText, macText } from './bytes.ts';

export type Protocol = 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp' | 'other';

export interface Packet {
  readonly family: 'ip' | 'ip6';
  readonly protocol: Protocol;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** Whole IP length in bytes, headers included. */
  readonly length: number;
  readonly dontFragment: boolean;
  /** A fragment after the first carries no ports. */
  readonly fragmentOffset: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly tcp?: TcpFields;
  readonly icmp?: IcmpFields;
  /** UDP payload (what is there of it). */
  readonly payload?: Buffer;
  readonly macs?: { readonly source: string; readonly destination: string };
  /** The packet inside a VXLAN datagram, and its network identifier. */
  readonly inner?: Packet;
  readonly vni?: number;
}

export interface TcpFields {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: readonly TcpFlag[];
}

export type TcpFlag = 'FIN' | 'SYN' | 'RST' | 'PSH' | 'ACK';

export interface IcmpFields {
  readonly type: number;
  readonly code: number;
  /** For errors: the packet that caused them, as far as it is quoted. */
  readonly about?: Packet;
  /** For "fragmentation needed" and "packet too big". */
  readonly mtu?: number;
}

const protocols: Readonly<Record<number, Protocol>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };
const flagBits: readonly (readonly [number, TcpFlag])[] = [[1, 'FIN'], [2, 'SYN'], [4, 'RST'], [8, 'PSH'], [16, 'ACK']];
const vxlanPorts = new Set([4789, 8472]);

/** An Ethernet frame; `undefined` for anything but IPv4 and IPv6 (ARP, LLDP) and for truncated headers. */
export function decodeFrame(frame: Buffer): Packet | undefined {
  if (frame.length < 14) return undefined;
  const macs = { destination: macText(frame.subarray(0, 6)), source: macText(frame.subarray(6, 12)) };
  const packet = decodeNetwork(frame.subarray(14), frame.readUInt16BE(12));
  return packet === undefined ? undefined : { ...packet, macs };
}

/** An IP packet; `etherType` 0x0800 or 0x86dd. */
export function decodeNetwork(bytes: Buffer, etherType: number): Packet | undefined {
  if (etherType === 0x0800) return decodeIpv4(bytes);
  return etherType === 0x86dd ? decodeIpv6(bytes) : undefined;
}

function decodeIpv4(bytes: Buffer): Packet | undefined {
  if (bytes.length < 20) return undefined;
  const headerLength = (bytes.readUInt8(0) & 15) * 4;
  const fragment = bytes.readUInt16BE(6);
  const fragmentOffset = (fragment & 0x1fff) * 8;
  const protocol = protocols[bytes.readUInt8(9)] ?? 'other';
  const base = {
    family: 'ip' as const, protocol, ttl: bytes.readUInt8(8), length: bytes.readUInt16BE(2), fragmentOffset,
    dontFragment: (fragment & 0x4000) !== 0, source: ipText(bytes.subarray(12, 16)), destination: ipText(bytes.subarray(16, 20)),
  };
  return { ...base, ...(fragmentOffset === 0 ? decodeTransport(protocol, bytes.subarray(headerLength)) : {}) };
}

function decodeIpv6(bytes: Buffer): Packet | undefined {
  if (bytes.length < 40) return undefined;
  let next = bytes.readUInt8(6);
  let at = 40;
  let fragmentOffset = 0;
  // Hop-by-hop, routing, fragment and destination options stand between the header and the transport.
  while ([0, 43, 44, 60].includes(next) && bytes.length >= at + 8) {
    if (next === 44) fragmentOffset = bytes.readUInt16BE(at + 2) & 0xfff8;
    const size = next === 44 ? 8 : (bytes.readUInt8(at + 1) + 1) * 8;
    next = bytes.readUInt8(at);
    at += size;
  }
  const protocol = protocols[next] ?? 'other';
  const base = {
    family: 'ip6' as const, protocol, ttl: bytes.readUInt8(7), length: bytes.readUInt16BE(4) + 40, fragmentOffset, dontFragment: true,
    source: ipText(bytes.subarray(8, 24)), destination: ipText(bytes.subarray(24, 40)),
  };
  return { ...base, ...(fragmentOffset === 0 ? decodeTransport(protocol, bytes.subarray(at)) : {}) };
}

type Transport = Pick<Packet, 'sourcePort' | 'destinationPort' | 'tcp' | 'icmp' | 'payload' | 'inner' | 'vni'>;

function decodeTransport(protocol: Protocol, bytes: Buffer): Transport {
  if (protocol === 'icmp' || protocol === 'icmpv6') return decodeIcmp(protocol, bytes);
  if (protocol === 'other' || bytes.length < 8) return {};
  const ports = { sourcePort: bytes.readUInt16BE(0), destinationPort: bytes.readUInt16BE(2) };
  if (protocol === 'tcp' && bytes.length >= 14) {
    const bits = bytes.readUInt8(13);
    return { ...ports, tcp: { sequence: bytes.readUInt32BE(4), acknowledgment: bytes.readUInt32BE(8), flags: flagBits.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name) } };
  }
  if (protocol !== 'udp') return ports;
  const payload = bytes.subarray(8);
  if (!vxlanPorts.has(ports.destinationPort) || payload.length < 22 || payload.readUInt8(0) !== 8) return { ...ports, payload };
  const inner = decodeFrame(payload.subarray(8));
  return inner === undefined ? { ...ports, payload } : { ...ports, inner, vni: payload.readUIntBE(4, 3) };
}

/** Errors quote the packet that they are about: types 3, 11, 12 of ICMP and 1 to 4 of ICMPv6. */
function decodeIcmp(protocol: 'icmp' | 'icmpv6', bytes: Buffer): Transport {
  if (bytes.length < 8) return {};
  const type = bytes.readUInt8(0);
  const code = bytes.readUInt8(1);
  const isError = protocol === 'icmp' ? [3, 11, 12].includes(type) : type >= 1 && type <= 4;
  if (!isError) return { icmp: { type, code } };
  const about = decodeNetwork(bytes.subarray(8), protocol === 'icmp' ? 0x0800 : 0x86dd);
  const tooBig = protocol === 'icmp' ? type === 3 && code === 4 : type === 2;
  const mtu = protocol === 'icmp' ? bytes.readUInt16BE(6) : bytes.readUInt32BE(4);
  return { icmp: { type, code, ...(about === undefined ? {} : { about }), ...(tooBig ? { mtu } : {}) } };
}

/** `10.244.1.2:80`, `[fd00::2]:80` */
export const endText = (address: string, port: number | undefined): string => (port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);

/** `10.244.1.2:40000 > 10.96.0.10:80 tcp [SYN]`: one packet in one line. */
export function packetLine(packet: Packet): string {
  const flags = packet.tcp === undefined ? '' : ` [${packet.tcp.flags.join(',')}]`;
  const icmp = packet.icmp === undefined ? '' : ` type ${packet.icmp.type} code ${packet.icmp.code}`;
  return `${endText(packet.source, packet.sourcePort)} > ${endText(packet.destination, packet.destinationPort)} ${packet.protocol}${flags}${icmp}`;
}
