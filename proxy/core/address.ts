// Addresses in one spelling each, so that equal addresses are equal strings; and CIDRs as disjoint ranges.
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

export type IpFamily = 'ip' | 'ip6';
export const FAMILIES: readonly IpFamily[] = ['ip', 'ip6'];

/** The canonical spelling (RFC 5952 for IPv6), or undefined for what is no address: a name, a zone, an IPv4-mapped IPv6 address. */
export function canonicalAddress(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const parsed = ipaddr.IPv6.parse(text);
  return parsed.isIPv4MappedAddress() ? undefined : parsed.toRFC5952String();
}

/** Of a canonical address or CIDR. */
export function familyOf(address: string): IpFamily {
  return address.includes(':') ? 'ip6' : 'ip';
}

/**
 * False for addresses that can be no Service's nor endpoint's: unspecified, loopback, link-local, multicast, broadcast (as the API
 * server's validation says). Takes a canonical address and looks at its text: it runs for each of 300,000 endpoints.
 */
export function isUsableEndpoint(address: string): boolean {
  if (address.includes(':')) return address !== '::' && address !== '::1' && !/^(?:fe[89ab][0-9a-f]|ff[0-9a-f]{2}):/.test(address);
  const first = Number(address.slice(0, address.indexOf('.')));
  return first !== 0 && first !== 127 && (first < 224 || first > 239) && !address.startsWith('169.254.') && address !== '255.255.255.255';
}

/** Inclusive, as numbers. */
export interface AddressRange { readonly first: bigint; readonly last: bigint }

export interface Cidr extends AddressRange {
  readonly family: IpFamily;
  /** Canonical: `10.0.0.0/8`. */
  readonly text: string;
}

/** `10.1.2.3/8` is read as 10.0.0.0/8, as kube-proxy does; undefined for what is no CIDR. */
export function parseCidr(text: unknown): Cidr | undefined {
  if (typeof text !== 'string') return undefined;
  const [addressText, bitsText, ...more] = text.trim().split('/');
  const address = canonicalAddress(addressText);
  if (address === undefined || more.length > 0 || bitsText === undefined || !/^\d{1,3}$/.test(bitsText)) return undefined;
  const family = familyOf(address);
  const width = family === 'ip' ? 32 : 128;
  const bits = Number(bitsText);
  if (bits > width) return undefined;
  const size = 1n << BigInt(width - bits);
  const value = addressNumber(address);
  const first = value - (value % size);
  return { family, first, last: first + size - 1n, text: `${numberAddress(first, family)}/${bits}` };
}

export function addressNumber(address: string): bigint {
  return BigInt(`0x${Buffer.from(ipaddr.parse(address).toByteArray()).toString('hex')}`);
}

export function numberAddress(value: bigint, family: IpFamily): string {
  const bytes = Buffer.from(value.toString(16).padStart(family === 'ip' ? 8 : 32, '0'), 'hex');
  const parsed = ipaddr.fromByteArray([...bytes]);
  return parsed.kind() === 'ipv6' ? (parsed as ipaddr.IPv6).toRFC5952String() : parsed.toString();
}

/** Sorted, without overlaps, neighbours joined: the kernel refuses overlapping intervals. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: { first: bigint; last: bigint }[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = merged.at(-1);
    if (before !== undefined && range.first <= before.last + 1n) before.last = range.last > before.last ? range.last : before.last;
    else merged.push({ first: range.first, last: range.last });
  }
  return merged;
}

/** What is left of merged ranges when single addresses are taken out. */
export function withoutAddresses(ranges: readonly AddressRange[], addresses: readonly bigint[]): AddressRange[] {
  if (addresses.length === 0) return [...ranges];
  const left: AddressRange[] = [];
  const sorted = addresses.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  for (const { first, last } of mergeRanges(ranges)) {
    let from = first;
    for (const address of sorted) {
      if (address < from || address > last) continue;
      if (address > from) left.push({ first: from, last: address - 1n });
      from = address + 1n;
    }
    if (from <= last) left.push({ first: from, last });
  }
  return left;
}

export function inRange(ranges: readonly AddressRange[], address: string): boolean {
  const value = addressNumber(address);
  return ranges.some((range) => range.first <= value && value <= range.last);
}
