// IPv4 ranges as numbers: checks of the lab's three ranges, and the choice of an underlay that the machine does not use yet.
import ipaddr from 'ipaddr.js';
import { LabError } from '../errors.ts';

export interface Range {
  readonly cidr: string;
  readonly first: number;
  readonly last: number;
}

export function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** "10.96.0.0/16" as a range. Throws a LabError that names the flag when it is no network address or not of a fitting size. */
export function parseRange(flag: string, cidr: string, size: { readonly min: number; readonly max: number }): Range {
  const wrong = (what: string): LabError => new LabError('EUSAGE', `${flag}: '${cidr}' ${what}; give an IPv4 network such as 10.96.0.0/16`);
  if (!ipaddr.IPv4.isValidCIDR(cidr)) throw wrong('is not an IPv4 CIDR');
  const [address, prefix] = ipaddr.IPv4.parseCIDR(cidr);
  if (prefix < size.min || prefix > size.max) throw wrong(`has a prefix outside /${size.min} to /${size.max}`);
  const first = toNumber(address.toString());
  const length = 2 ** (32 - prefix);
  if (first % length !== 0) throw new LabError('EUSAGE', `${flag}: '${cidr}' has host bits set; did you mean ${toAddress(first - (first % length))}/${prefix}?`);
  return { cidr, first, last: first + length - 1 };
}

export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** A route's destination as `ip -j route` prints it ("default" is no obstacle). */
export function routeRange(destination: string): Range | undefined {
  const text = destination.includes('/') ? destination : `${destination}/32`;
  if (!ipaddr.IPv4.isValidCIDR(text)) return undefined;
  const [address, prefix] = ipaddr.IPv4.parseCIDR(text);
  if (prefix === 0) return undefined;
  const length = 2 ** (32 - prefix);
  const start = toNumber(address.toString());
  const first = start - (start % length);
  return { cidr: text, first, last: first + length - 1 };
}

/**
 * A /24 for the underlay out of 10.200.0.0/14: where the lab's id points, or the next one that nothing on the machine uses.
 * The same id gives the same subnet, so a second lab normally lands elsewhere without asking.
 */
export function pickUnderlay(id: string, taken: readonly Range[]): string {
  const base = toNumber('10.200.0.0');
  const start = Number.parseInt(id, 16) % 1024;
  for (let step = 0; step < 1024; step += 1) {
    const first = base + ((start + step) % 1024) * 256;
    const candidate: Range = { cidr: `${toAddress(first)}/24`, first, last: first + 255 };
    if (!taken.some((range) => overlap(range, candidate))) return candidate.cidr;
  }
  throw new LabError('ENEED', 'no free /24 in 10.200.0.0/14 for the underlay: the machine has routes to all of it; pass --underlay-cidr');
}
