// The cluster's names, as the Kubernetes DNS specification (1.1.0) defines them. Pure: a question and the objects in, records out.
import { isIP } from 'node:net';
import type { Endpoint, EndpointSlice, Service } from '@podwire/kube-client';

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR' | 'TXT'; readonly name: string; readonly ttl: number; readonly data: string }
  | { readonly type: 'SRV'; readonly name: string; readonly ttl: number; readonly data: { readonly priority: number; readonly weight: number; readonly port: number; readonly target: string } }
  | { readonly type: 'SOA'; readonly name: string; readonly ttl: number; readonly data: { readonly mname: string; readonly rname: string; readonly serial: number; readonly refresh: number; readonly retry: number; readonly expire: number; readonly minimum: number } };

export interface Objects {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  /** Services that have this cluster IP. */
  servicesByIP(ip: string): readonly Service[];
  /** Slices that hold this endpoint address. */
  slicesByIP(ip: string): readonly EndpointSlice[];
  hasNamespace(namespace: string): boolean;
}

export interface Answer {
  /** `forward`: not ours to say. */
  readonly kind: 'found' | 'nodata' | 'nxdomain' | 'forward';
  readonly answers: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

export const ttlSeconds = 5;
export const specVersion = '1.1.0';
const serviceLabel = 'kubernetes.io/service-name';

const nodata: Answer = { kind: 'nodata', answers: [], additionals: [] };
const nxdomain: Answer = { kind: 'nxdomain', answers: [], additionals: [] };
const found = (answers: readonly DnsRecord[], additionals: readonly DnsRecord[] = []): Answer => (answers.length === 0 ? nodata : { kind: 'found', answers, additionals });

export function soa(zone: string): DnsRecord {
  return { type: 'SOA', name: zone, ttl: ttlSeconds, data: { mname: `ns.dns.${zone}`, rname: `hostmaster.${zone}`, serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: ttlSeconds } };
}

/** Answers a question about `zone`, or about the reverse of an address that the cluster knows; everything else is forwarded. */
export function answerQuestion(question: { readonly name: string; readonly type: string }, zone: string, objects: Objects): Answer {
  const name = question.name.toLowerCase().replace(/\.$/u, '');
  const asked = { name: question.name, type: question.type };
  const reverse = addressOfReverse(name);
  if (reverse !== undefined) return answerReverse(asked, reverse, zone, objects);
  if (name !== zone && !name.endsWith(`.${zone}`)) return { kind: 'forward', answers: [], additionals: [] };
  const labels = name === zone ? [] : name.slice(0, -zone.length - 1).split('.').reverse();
  const [kind, namespace, service, ...rest] = labels;
  if (kind === undefined) return asked.type === 'SOA' ? found([soa(zone)]) : nodata;
  if (kind === 'dns-version' && namespace === undefined) return asked.type === 'TXT' ? found([{ type: 'TXT', name: asked.name, ttl: ttlSeconds, data: specVersion }]) : nodata;
  if (kind === 'pod') return answerPod(asked, namespace, service, rest, objects);
  if (kind !== 'svc') return nxdomain;
  if (namespace === undefined) return nodata;
  if (service === undefined) return objects.hasNamespace(namespace) ? nodata : nxdomain;
  const object = objects.service(namespace, service);
  if (object === undefined) return nxdomain;
  return answerService(asked, object, rest, zone, objects);
}

interface Asked { readonly name: string; readonly type: string }

/** A or AAAA records for those addresses that are of the family asked for. */
function addressRecords(asked: Asked, addresses: readonly string[], name = asked.name): DnsRecord[] {
  const wanted = asked.type === 'A' ? 4 : asked.type === 'AAAA' ? 6 : 0;
  const type = wanted === 4 ? 'A' as const : 'AAAA' as const;
  return [...new Set(addresses)].filter((address) => isIP(address) === wanted).map((data) => ({ type, name, ttl: ttlSeconds, data }));
}

/** a-b-c-d.NAMESPACE.pod.ZONE is a.b.c.d, whoever has it. */
function answerPod(asked: Asked, namespace: string | undefined, dashed: string | undefined, rest: readonly string[], objects: Objects): Answer {
  if (namespace === undefined) return nodata;
  if (!objects.hasNamespace(namespace) || rest.length > 0) return nxdomain;
  if (dashed === undefined) return nodata;
  const address = [dashed.replaceAll('-', '.'), dashed.replaceAll('-', ':')].find((text) => isIP(text) !== 0);
  return address === undefined ? nxdomain : found(addressRecords(asked, [address]));
}

interface Member { readonly hostname: string; readonly addresses: readonly string[]; readonly slice: EndpointSlice }

export function hostnameOf(endpoint: Endpoint): string {
  return endpoint.hostname ?? (endpoint.addresses[0] ?? '').replaceAll(/[.:]/gu, '-');
}

/** Endpoints that may be named: ready ones (which a Service with publishNotReadyAddresses calls all of its own). */
function members(slices: readonly EndpointSlice[]): Member[] {
  return slices.flatMap((slice) => slice.endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
    .map((endpoint) => ({ hostname: hostnameOf(endpoint), addresses: endpoint.addresses, slice })));
}

function answerService(asked: Asked, service: Service, rest: readonly string[], zone: string, objects: Objects): Answer {
  const { name = '', namespace = '' } = service.metadata ?? {};
  const own = `${name}.${namespace}.svc.${zone}`;
  const { clusterIP = '', clusterIPs = [clusterIP], type, externalName = '', ports = [] } = service.spec ?? {};
  if (type === 'ExternalName') return rest.length > 0 ? nxdomain : { kind: 'found', answers: [{ type: 'CNAME', name: asked.name, ttl: ttlSeconds, data: externalName }], additionals: [] };
  const isHeadless = clusterIP === 'None';
  const all = isHeadless ? members(objects.slices(namespace, name)) : [];
  if (rest.length === 0) {
    if (isHeadless && all.length === 0) return nodata;
    if (asked.type === 'SRV') return found(isHeadless ? all.flatMap((member) => portsOf(member).map((port) => srv(asked, port.port, `${member.hostname}.${own}`))) : ports.map((port) => srv(asked, port.port, own)));
    return found(addressRecords(asked, isHeadless ? all.flatMap((member) => member.addresses) : clusterIPs));
  }
  const [first = '', second] = rest;
  if (second === undefined && !first.startsWith('_')) {
    const member = all.filter((one) => one.hostname.toLowerCase() === first);
    return member.length === 0 ? nxdomain : found(addressRecords(asked, member.flatMap((one) => one.addresses)));
  }
  // _PORT._PROTOCOL.SERVICE; the labels come reversed.
  if (second === undefined) return nodata;
  if (rest.length > 2) return nxdomain;
  const matches = (port: { readonly name?: string; readonly protocol?: string }): boolean => `_${(port.name ?? '').toLowerCase()}` === second && `_${(port.protocol ?? 'TCP').toLowerCase()}` === first;
  const records: DnsRecord[] = [];
  const extra: DnsRecord[] = [];
  if (isHeadless) {
    for (const member of all) {
      for (const port of portsOf(member).filter(matches)) records.push(srv(asked, port.port, `${member.hostname}.${own}`));
      for (const family of ['A', 'AAAA']) extra.push(...addressRecords({ name: `${member.hostname}.${own}`, type: family }, member.addresses));
    }
  } else {
    for (const port of ports.filter(matches)) records.push(srv(asked, port.port, own));
    for (const family of ['A', 'AAAA']) extra.push(...addressRecords({ name: own, type: family }, clusterIPs));
  }
  if (records.length === 0) return nxdomain;
  return asked.type === 'SRV' ? found(records, extra) : nodata;
}

function portsOf(member: Member): { readonly name?: string; readonly protocol?: string; readonly port: number }[] {
  return (member.slice.ports ?? []).flatMap((port) => (port.port === undefined ? [] : [{ ...port, port: port.port }]));
}

function srv(asked: Asked, port: number, target: string): DnsRecord {
  return { type: 'SRV', name: asked.name, ttl: ttlSeconds, data: { priority: 0, weight: 100, port, target } };
}

/** The address of 4.3.2.1.in-addr.arpa or of an ip6.arpa name; undefined for other names. */
export function addressOfReverse(name: string): string | undefined {
  const four = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/u.exec(name);
  if (four !== null) return four.slice(1, 5).reverse().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/u.exec(name)?.[1];
  return six === undefined ? undefined : shorten(six.split('.').filter((digit) => digit !== '').reverse().join('').match(/.{4}/gu) ?? []);
}

/** The canonical text of an IPv6 address. */
function shorten(groups: readonly string[]): string {
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function answerReverse(asked: Asked, address: string, zone: string, objects: Objects): Answer {
  const named = [
    ...objects.servicesByIP(address).map((service) => `${service.metadata?.name ?? ''}.${service.metadata?.namespace ?? ''}.svc.${zone}`),
    ...objects.slicesByIP(address).flatMap((slice) => {
      const service = slice.metadata?.labels?.[serviceLabel] ?? '';
      const namespace = slice.metadata?.namespace ?? '';
      if (objects.service(namespace, service)?.spec?.clusterIP !== 'None') return [];
      return slice.endpoints.filter((endpoint) => endpoint.hostname !== undefined && endpoint.addresses.includes(address)).map((endpoint) => `${endpoint.hostname ?? ''}.${service}.${namespace}.svc.${zone}`);
    }),
  ];
  if (named.length === 0) return { kind: 'forward', answers: [], additionals: [] };
  return asked.type === 'PTR' ? found([...new Set(named)].map((data) => ({ type: 'PTR', name: asked.name, ttl: ttlSeconds, data }))) : nodata;
}
