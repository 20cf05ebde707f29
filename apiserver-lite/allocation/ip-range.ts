import ipaddr from 'ipaddr.js';

/** A CIDR as numbers, without the addresses that no Service may have: the network's own and, for IPv4, the broadcast address. */
export type IpRange = Readonly<{ cidr: string; family: 'IPv4' | 'IPv6'; first: bigint; size: bigint }>;

/** More addresses than this are never handed out; the real API server has the same bound for IPv6. */
const MAX_SIZE = 1n << 16n;

export function parseIpRange(cidr: string): IpRange {
  const [network, bits] = ipaddr.parseCIDR(cidr);
  const width = network.kind() === 'ipv4' ? 32 : 128;
  const base = toNumber(network) & ~((1n << BigInt(width - bits)) - 1n);
  const all = 1n << BigInt(width - bits);
  const usable = all - (width === 32 ? 2n : 1n);
  const capped = width === 128 && usable > MAX_SIZE ? MAX_SIZE : usable;
  return { cidr, family: width === 32 ? 'IPv4' : 'IPv6', first: base + 1n, size: capped < 0n ? 0n : capped };
}

/** The address at a position of the range, canonically written. */
export function addressAt(range: IpRange, offset: bigint): string {
  const value = range.first + offset;
  const length = range.family === 'IPv4' ? 4 : 16;
  const bytes = Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 0xffn));
  return ipaddr.fromByteArray(bytes).toString();
}

/** Whether an address may be given to a Service of this range, when asked for by name. */
export function rangeHas(range: IpRange, address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if ((parsed.kind() === 'ipv4') !== (range.family === 'IPv4')) return false;
  const offset = toNumber(parsed) - range.first;
  return offset >= 0n && offset < range.size;
}

function toNumber(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/**
 * Where dynamic allocation starts: the low part of a range is left for addresses that people ask for by name, until the rest
 * is full. The same formula as kube-apiserver: min(max(16, size/16), 256).
 */
export function staticBand(size: number): number {
  if (size < 16) return 0;
  return Math.min(Math.max(16, Math.floor(size / 16)), 256);
}
