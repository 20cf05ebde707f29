import type { IpamConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import type { AttachmentId } from '../plan/request.ts';
import { formatIp } from './address.ts';
import type { Ip } from './address.ts';
import { withLeases } from './lease-store.ts';
import type { Lease, Leases } from './lease-store.ts';
import { candidates, capacity, isReserved, parseRanges, rangeContains } from './ranges.ts';
import type { IpRange, RangeSet } from './ranges.ts';

/** An address that was given out, with what its pod needs to use it. */
export interface Allocation {
  readonly ip: Ip;
  readonly prefix: number;
  readonly gateway: Ip;
}

export interface AllocateOptions {
  /** Wanted addresses (CNI_ARGS `IP`, `args.cni.ips`, capability `ips`), at most one per range set. */
  readonly requested?: readonly Ip[];
  /** What to do when the attachment holds a lease already: an ADD that was killed left it. Default 'reuse'. */
  readonly onHeld?: 'reuse' | 'fail';
}

/** One address from every set, or none: nothing stays reserved when a set is full. */
export function allocate(ipam: IpamConfig, network: string, who: AttachmentId, options: AllocateOptions = {}): readonly Allocation[] {
  const sets = parseRanges(ipam.ranges);
  const requested = placeRequested(sets, options.requested ?? []);
  return withLeases(ipam.dataDir, network, (leases) => {
    const held = leases.list().filter((lease) => belongsTo(lease, who));
    if (held[0] !== undefined && options.onHeld === 'fail') {
      throw new CniError(cniCode.addressUnavailable, `network "${network}": ${formatIp(held[0].ip)} is allocated to ${who.containerId} ${who.ifname} already; DEL it first`);
    }
    const taken: Ip[] = [];
    try {
      return sets.map((set, index) => {
        const kept = held.find((lease) => set.some((range) => rangeContains(range, lease.ip)));
        const given = kept !== undefined && requested[index] === undefined
          ? { ip: kept.ip, range: rangeOf(set, kept.ip) }
          : take(leases, set, index, { network, who, wanted: requested[index], held });
        if (given.ip !== kept?.ip) taken.push(given.ip);
        return { ip: given.ip, prefix: given.range.subnet.prefix, gateway: { family: given.range.family, value: given.range.gateway } };
      });
    } catch (error) {
      for (const ip of taken) leases.release(ip);
      throw error;
    }
  });
}

interface Wish {
  readonly network: string;
  readonly who: AttachmentId;
  readonly wanted: Ip | undefined;
  readonly held: readonly Lease[];
}

function take(leases: Leases, set: RangeSet, index: number, wish: Wish): { readonly ip: Ip; readonly range: IpRange } {
  const { containerId, ifname } = wish.who;
  if (wish.wanted !== undefined) {
    const wanted = wish.wanted;
    const mine = wish.held.some((lease) => lease.ip.value === wanted.value && lease.ip.family === wanted.family);
    if (mine || leases.reserve(wanted, containerId, ifname)) return { ip: wanted, range: rangeOf(set, wanted) };
    throw new CniError(cniCode.addressUnavailable, `network "${wish.network}": requested address ${formatIp(wanted)} is in use`);
  }
  for (const { range, value } of candidates(set, leases.lastReserved(index))) {
    const ip: Ip = { family: range.family, value };
    if (!leases.reserve(ip, containerId, ifname)) continue;
    leases.setLastReserved(index, ip);
    return { ip, range };
  }
  throw new CniError(cniCode.poolExhausted, `network "${wish.network}": no free address in ${describe(set)}; all ${capacity(set)} are leased (GC frees those of containers that are gone)`);
}

/** Each requested address in the set that holds it. */
function placeRequested(sets: readonly RangeSet[], requested: readonly Ip[]): readonly (Ip | undefined)[] {
  const placed: (Ip | undefined)[] = sets.map(() => undefined);
  for (const ip of requested) {
    const index = sets.findIndex((set, at) => placed[at] === undefined && set.some((range) => rangeContains(range, ip)));
    const range = sets[index]?.find((each) => rangeContains(each, ip));
    if (range === undefined) throw new CniError(cniCode.addressUnavailable, `requested address ${formatIp(ip)} lies in no range of ${sets.map(describe).join(' / ')}, or a second address of the same set was requested`);
    if (isReserved(range, ip.value)) throw new CniError(cniCode.addressUnavailable, `requested address ${formatIp(ip)} is the gateway, network or broadcast address of its subnet`);
    placed[index] = ip;
  }
  return placed;
}

function rangeOf(set: RangeSet, ip: Ip): IpRange {
  const range = set.find((each) => rangeContains(each, ip));
  if (range === undefined) throw new CniError(cniCode.internal, `no range for ${formatIp(ip)}`);
  return range;
}

/** What is to be freed of one attachment. */
export interface Release {
  readonly who: AttachmentId;
  /** Addresses that it is known to have had (from its result): their files go even when they are corrupt and so name nobody. */
  readonly known: readonly Ip[];
}

/** Frees what the attachments hold; never fails because there is nothing. */
export function release(ipam: Pick<IpamConfig, 'dataDir'>, network: string, releases: readonly Release[]): void {
  withLeases(ipam.dataDir, network, (leases) => {
    const gone = new Set(releases.map(({ who }) => idOf(who)));
    for (const lease of leases.list()) {
      if (gone.has(idOf(lease)) || (lease.ifname === '' && releases.some(({ who }) => belongsTo(lease, who)))) leases.release(lease.ip);
    }
    for (const ip of releases.flatMap(({ known }) => known)) if (leases.holder(ip)?.containerId === '') leases.release(ip);
  });
}

const idOf = ({ containerId, ifname }: AttachmentId): string => `${containerId}\0${ifname}`;

/** The addresses that the attachment holds now. */
export const leasesOf = (ipam: Pick<IpamConfig, 'dataDir'>, network: string, who: AttachmentId): readonly Ip[] =>
  withLeases(ipam.dataDir, network, (leases) => leases.list().filter((lease) => belongsTo(lease, who)).map((lease) => lease.ip));

/** Frees all leases of attachments that are not in `valid`; returns those that went. */
export function collect(ipam: Pick<IpamConfig, 'dataDir'>, network: string, valid: readonly AttachmentId[]): readonly Lease[] {
  return withLeases(ipam.dataDir, network, (leases) => {
    const stale = leases.list().filter((lease) => !valid.some((who) => belongsTo(lease, who)));
    for (const lease of stale) leases.release(lease.ip);
    return stale;
  });
}

/** How many addresses of each set are left. */
export function freeAddresses(ipam: IpamConfig, network: string): readonly { readonly set: string; readonly free: bigint }[] {
  const sets = parseRanges(ipam.ranges);
  return withLeases(ipam.dataDir, network, (leases) => {
    const all = leases.list();
    return sets.map((set) => {
      const used = all.filter((lease) => set.some((range) => rangeContains(range, lease.ip) && !isReserved(range, lease.ip.value))).length;
      return { set: describe(set), free: capacity(set) - BigInt(used) };
    });
  });
}

const belongsTo = (lease: Lease, who: AttachmentId): boolean =>
  lease.containerId === who.containerId && (lease.ifname === '' || lease.ifname === who.ifname);

const describe = (set: RangeSet): string =>
  set.map((range) => `${formatIp({ family: range.family, value: range.start })}-${formatIp({ family: range.family, value: range.end })}`).join(', ');
