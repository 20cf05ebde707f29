// Load-balancer addresses: which one a Service gets from the range, pure.
// https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
import type { Service } from '@podwire/kube-client';
import type { Cidr } from '../node/pod-cidrs.ts';
import { formatCidr, nextFree, parseCidr } from '../node/pod-cidrs.ts';

/** A Service of type LoadBalancer without a class is ours; with a class it belongs to whoever serves that class. */
export const wantsAddress = ({ spec, metadata }: Service): boolean => spec?.type === 'LoadBalancer' && spec.loadBalancerClass === undefined && metadata?.deletionTimestamp === undefined;

export const addressesOf = ({ status }: Service): readonly string[] => (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '').filter((ip) => ip !== '');

const asCidr = (ip: string): Cidr => parseCidr(`${ip}/${ip.includes(':') ? 128 : 32}`);

export type Ingress = NonNullable<NonNullable<NonNullable<Service['status']>['loadBalancer']>['ingress']>;

export type Assignment = Readonly<{ ingress: Ingress } | { problem: string }>;

function addressIn(range: Cidr, service: Service, taken: readonly Cidr[]): string | undefined {
  const inside = (ip: string): boolean => {
    const { family, base } = asCidr(ip);
    return family === range.family && base >= range.base && base < range.base + (1n << BigInt(range.bits - range.prefix));
  };
  const kept = addressesOf(service).find(inside);
  if (kept !== undefined) return kept;
  const asked = service.spec?.loadBalancerIP;
  if (asked !== undefined && asked !== '' && inside(asked)) return taken.some(({ base }) => base === asCidr(asked).base) ? undefined : asked;
  // The network's own first address is left out: routers and people take it for the network.
  const reserved: Cidr = { ...range, prefix: range.bits };
  const free = nextFree(range, range.bits, [reserved, ...taken]);
  return free === undefined ? undefined : formatCidr(free).split('/')[0];
}

/**
 * The ingress of a Service: one address per family it has and a range exists for. It keeps what it has.
 * `others` are the Services whose addresses are taken.
 */
export function assignAddresses(service: Service, ranges: readonly Cidr[], others: readonly Service[]): Assignment {
  const families = service.spec?.ipFamilies ?? ['IPv4'];
  const taken = others.flatMap(addressesOf).map(asCidr);
  const ingress: Ingress = [];
  for (const family of families) {
    const range = ranges.find((one) => one.family === (family === 'IPv6' ? 6 : 4));
    if (range === undefined) continue;
    const ip = addressIn(range, service, taken);
    if (ip === undefined) return { problem: service.spec?.loadBalancerIP === undefined ? `no address is free in ${formatCidr(range)}` : `address ${service.spec.loadBalancerIP} is taken` };
    ingress.push({ ip, ipMode: 'VIP' });
  }
  return ingress.length === 0 ? { problem: `no load-balancer range has the Service's family (${families.join(', ')}); start the API server with --load-balancer-cidr` } : { ingress };
}
