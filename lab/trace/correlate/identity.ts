// Is this the probe, and which way does it go? Addresses change on the way (NAT) and a packet may travel inside another (VXLAN),
// so a packet is known by what nobody rewrites: a TCP sequence number, or a nonce in a UDP payload. Pure.
import type { Packet } from '../packet/decode.ts';

export type Role = 'request' | 'reply' | 'error';

export type ProbeKey = Readonly<{ protocol: 'tcp'; /** Of the SYN. */ sequence: number } | { protocol: 'udp'; nonce: string; /** The whole request; an answer repeats only the nonce. */ requestHex: string; sourcePort: number }>;

export interface Recognised {
  readonly role: Role;
  /** The probe itself: the inner packet when it was seen inside VXLAN. */
  readonly packet: Packet;
  readonly encapsulated: boolean;
}

function roleOfTcp({ tcp }: Packet, sequence: number): Role | undefined {
  if (tcp === undefined) return undefined;
  const acknowledges = tcp.flags.includes('ACK') && tcp.acknowledgment === (sequence + 1) % 2 ** 32;
  if (tcp.flags.includes('SYN') && !tcp.flags.includes('ACK')) return tcp.sequence === sequence ? 'request' : undefined;
  if (acknowledges && (tcp.flags.includes('SYN') || tcp.flags.includes('RST'))) return 'reply';
  return undefined;
}

function roleOfUdp({ payload }: Packet, key: { nonce: string; requestHex: string }): Role | undefined {
  if (payload?.includes(key.nonce) !== true) return undefined;
  return payload.toString('hex').startsWith(key.requestHex) ? 'request' : 'reply';
}

/** What one packet is to the probe: its request, the reply, an ICMP error about it, or nothing. */
export function recognise(packet: Packet, key: ProbeKey): Recognised | undefined {
  const encapsulated = packet.inner !== undefined;
  const probe = packet.inner ?? packet;
  if (probe.icmp?.about !== undefined) return isAbout(probe.icmp.about, key) ? { role: 'error', packet: probe, encapsulated } : undefined;
  if (probe.protocol !== key.protocol) return undefined;
  const role = key.protocol === 'tcp' ? roleOfTcp(probe, key.sequence) : roleOfUdp(probe, key);
  return role === undefined ? undefined : { role, packet: probe, encapsulated };
}

/** An ICMP error quotes at least 8 bytes of transport header: the ports, and for TCP the sequence number. */
function isAbout(quoted: Packet, key: ProbeKey): boolean {
  if (quoted.protocol !== key.protocol) return false;
  if (key.protocol === 'udp') return quoted.payload?.includes(key.nonce) === true || quoted.sourcePort === key.sourcePort;
  return quoted.tcp === undefined || quoted.tcp.sequence === key.sequence;
}

/** The five fields that NAT may change, as text. */
export const endsOf = (packet: Packet): string => `${packet.source}:${packet.sourcePort ?? 0}>${packet.destination}:${packet.destinationPort ?? 0}`;
