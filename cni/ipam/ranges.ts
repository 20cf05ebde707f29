import type { IpRangeConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { bitsOf, formatIp, lastOf, networkOf, networkText, parseCidr, parseIp } from './address.ts';
import type { Cidr, Family, Ip } from './address.ts';

/** A pool, checked: addresses from `start` to `end`, both included, less the gateway. */
export interface IpRange {
  readonly family: Family;
  readonly subnet: Cidr;
  readonly start: bigint;
  readonly end: bigint;
  readonly gateway: bigint;
}

/** One address is taken from each set. All ranges of a set are of one family. */
export type RangeSet = readonly IpRange[];

/**
 * The pools of `ipam.ranges` as numbers. Rules of host-local: the subnet has no host bits and at least two usable
 * addresses; start and end lie in it; the gateway defaults to the first address; no two ranges overlap.
 * Throws a `CniError` 7 that names key and value.
 */
export function parseRanges(sets: readonly (readonly IpRangeConfig[])[], key = 'ipam.ranges'): readonly RangeSet[] {
  const parsed = sets.map((set, s) => {
    if (set.length === 0) throw bad(`${key}[${s}]`, '[]', 'is an empty set; give at least one {"subnet": ...}');
    const ranges = set.map((range, r) => parseRange(range, `${key}[${s}][${r}]`));
    const mixed = ranges.find((range) => range.family !== ranges[0]?.family);
    if (mixed !== undefined) throw bad(`${key}[${s}]`, networkText(mixed.subnet), 'mixes IPv4 and IPv6; put each family into a set of its own');
    return ranges;
  });
  const all = parsed.flat();
  all.forEach((range, index) => {
    const other = all.slice(0, index).find((before) => before.family === range.family && before.start <= range.end && range.start <= before.end);
    if (other !== undefined) throw bad(key, `${show(range, range.start)}-${show(range, range.end)}`, `overlaps ${show(other, other.start)}-${show(other, other.end)}; ranges must be disjoint`);
  });
  return parsed;
}

function parseRange(config: IpRangeConfig, key: string): IpRange {
  const subnet = parseCidr(config.subnet);
  if (subnet === undefined) throw bad(`${key}.subnet`, config.subnet, 'is not a CIDR such as 10.1.0.0/24');
  if (subnet.address !== networkOf(subnet)) throw bad(`${key}.subnet`, config.subnet, `has host bits set; write ${networkText(subnet)}`);
  const family = subnet.family;
  if (subnet.prefix > bitsOf(family) - 2) throw bad(`${key}.subnet`, config.subnet, `is too small for a gateway and a pod; use /${bitsOf(family) - 2} or wider`);
  const last = family === 4 ? lastOf(subnet) - 1n : lastOf(subnet);
  const start = inside(config.rangeStart, subnet, `${key}.rangeStart`) ?? networkOf(subnet) + 1n;
  const end = inside(config.rangeEnd, subnet, `${key}.rangeEnd`) ?? last;
  if (start > end) throw bad(`${key}.rangeStart`, config.rangeStart ?? '', `lies after rangeEnd ${config.rangeEnd ?? ''}`);
  const gateway = config.gateway === undefined ? networkOf(subnet) + 1n : address(config.gateway, family, `${key}.gateway`).value;
  return { family, subnet, start, end: end > last && config.rangeEnd === undefined ? last : end, gateway };
}

function inside(text: string | undefined, subnet: Cidr, key: string): bigint | undefined {
  if (text === undefined) return undefined;
  const ip = address(text, subnet.family, key);
  if (ip.value < networkOf(subnet) || ip.value > lastOf(subnet)) throw bad(key, text, `lies outside ${networkText(subnet)}`);
  return ip.value;
}

function address(text: string, family: Family, key: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw bad(key, text, 'is not an IP address');
  if (ip.family !== family) throw bad(key, text, `is not IPv${family} like its subnet`);
  return ip;
}

const show = (range: IpRange, value: bigint): string => formatIp({ family: range.family, value });

export const bad = (key: string, value: string, problem: string): CniError =>
  new CniError(cniCode.invalidConfig, `${key}: "${value}" ${problem}`);

export const rangeContains = (range: IpRange, ip: Ip): boolean => ip.family === range.family && ip.value >= range.start && ip.value <= range.end;

/** The network and, for IPv4, broadcast address of a subnet, and the gateway, are never given out. */
export const isReserved = (range: IpRange, value: bigint): boolean =>
  value === range.gateway || value === networkOf(range.subnet) || (range.family === 4 && value === lastOf(range.subnet));

/**
 * The addresses of a set in the order in which they are tried: from the one after `last`, through all ranges, once
 * around. Round robin keeps a freed address unused for as long as possible, so that stale connections and neighbour
 * entries do not meet a new pod.
 */
export function* candidates(set: RangeSet, last?: Ip): Generator<{ readonly range: IpRange; readonly value: bigint }> {
  const found = last === undefined ? -1 : set.findIndex((range) => rangeContains(range, last));
  const first = set[Math.max(found, 0)];
  if (first === undefined) return;
  const resume = found >= 0 && last !== undefined ? last.value + 1n : first.start;
  const order = [...set.slice(Math.max(found, 0)), ...set.slice(0, Math.max(found, 0))];
  for (const [index, range] of order.entries()) {
    for (let value = index === 0 ? resume : range.start; value <= range.end; value++) if (!isReserved(range, value)) yield { range, value };
  }
  for (let value = first.start; value < resume && value <= first.end; value++) if (!isReserved(first, value)) yield { range: first, value };
}

/** How many addresses the set can give out at all. */
export function capacity(set: RangeSet): bigint {
  return set.reduce((sum, range) => {
    const reserved = new Set([range.gateway, networkOf(range.subnet), ...(range.family === 4 ? [lastOf(range.subnet)] : [])]);
    const taken = [...reserved].filter((value) => value >= range.start && value <= range.end).length;
    return sum + (range.end - range.start + 1n) - BigInt(taken);
  }, 0n);
}
