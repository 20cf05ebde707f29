// A Service as the proxy sees it: checked, in canonical spelling, and small, since there may be 30,000 of them.
import type { Service, ServicePort } from '@podwire/kube-client';
import { canonicalAddress, familyOf, isUsableEndpoint, parseCidr } from './address.ts';
import type { AddressRange, Cidr, IpFamily } from './address.ts';

/** Without a prototype: a hostile object may say that its protocol is `constructor`. */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = Object.assign(Object.create(null) as Record<string, number>, { TCP: 6, UDP: 17, SCTP: 132 });
export const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };

export interface PortInfo {
  readonly name: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
}

/** What a Service has in one IP family. */
export interface FamilyAddresses {
  readonly clusterIPs: readonly string[];
  readonly externalIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  /** Who may reach the load-balancer addresses (loadBalancerSourceRanges); undefined: everybody. */
  readonly sources: readonly AddressRange[] | undefined;
}

export interface ServiceInfo {
  /** namespace/name */
  readonly key: string;
  /** creationTimestamp: the older of two that want the same address gets it. */
  readonly created: string;
  readonly ports: readonly PortInfo[];
  readonly ip?: FamilyAddresses;
  readonly ip6?: FamilyAddresses;
  /** sessionAffinity ClientIP: its time-out in seconds; 0: none. */
  readonly stickySeconds: number;
  readonly externalLocal: boolean;
  readonly internalLocal: boolean;
  /** Annotation `podwire.dev/load-balancing: consistent-hash`. */
  readonly isHashed: boolean;
  /** 0: none. */
  readonly healthCheckNodePort: number;
  /** What was wrong with the object and therefore left out. */
  readonly problems: readonly string[];
}

export const HASH_ANNOTATION = 'podwire.dev/load-balancing';
const DEFAULT_AFFINITY_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;

/** Services with this label belong to another proxy. */
export const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';

const LISTS = ['ports', 'clusterIPs', 'externalIPs', 'loadBalancerSourceRanges'] as const;
/** Fields with a few values; the first is what anything else is read as. */
const CHOICES: readonly (readonly [field: 'type' | 'sessionAffinity' | 'externalTrafficPolicy' | 'internalTrafficPolicy', ...values: string[]])[] = [
  ['type', 'ClusterIP', 'NodePort', 'LoadBalancer'], ['sessionAffinity', 'None', 'ClientIP'], ['externalTrafficPolicy', 'Cluster', 'Local', ''], ['internalTrafficPolicy', 'Cluster', 'Local', ''],
];
const UNUSABLE = { created: '', ports: [], stickySeconds: 0, externalLocal: false, internalLocal: false, isHashed: false, healthCheckNodePort: 0 } as const;

/** undefined: not ours to serve (headless, ExternalName, another proxy's, no cluster IP). Never throws, whatever the object holds. */
export function parseService(service: Service, skipLabel = SERVICE_PROXY_NAME_LABEL): ServiceInfo | undefined {
  const { metadata, spec } = service;
  const labels = metadata?.labels ?? {};
  if (!isObject(metadata) || Object.hasOwn(labels, skipLabel) || Object.hasOwn(labels, HEADLESS_LABEL)) return undefined;
  if (!isObject(spec)) return { ...UNUSABLE, key: `${metadata.namespace ?? ''}/${metadata.name ?? ''}`, problems: ['spec is not an object'] };
  if (spec.type === 'ExternalName' || spec.clusterIP === 'None' || spec.clusterIP === '' || spec.clusterIP === undefined) return undefined;
  const problems: string[] = [];
  const key = `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;
  for (const name of LISTS) if (isGiven(spec[name]) && !Array.isArray(spec[name])) problems.push(`spec.${name} is not a list`);
  for (const [name, ...values] of CHOICES) if (isGiven(spec[name]) && !values.includes(String(spec[name]))) problems.push(`spec.${name}: ${JSON.stringify(spec[name])} is none of ${values.filter((value) => value !== '').join(', ')}; read as ${values[0] ?? ''}`);
  const ports = portsOf(array(spec.ports), spec.type === 'NodePort' || spec.type === 'LoadBalancer', problems);
  const clusterIPs = addressesOf(array(spec.clusterIPs).length > 0 ? array(spec.clusterIPs) : [spec.clusterIP], 'spec.clusterIPs', problems);
  const externalIPs = addressesOf(array(spec.externalIPs), 'spec.externalIPs', problems).filter((address) => usable(address, 'spec.externalIPs', problems));
  const ingressField = spec.type === 'LoadBalancer' ? service.status?.loadBalancer?.ingress : undefined;
  const ingress = array(ingressField).filter(isObject) as { ip?: string; ipMode?: string }[];
  if ((ingressField !== undefined && !Array.isArray(ingressField)) || ingress.length < array(ingressField).length) problems.push('status.loadBalancer.ingress is not a list of objects');
  const captured = ingress.filter((entry) => entry.ip !== undefined && entry.ip !== '' && entry.ipMode !== 'Proxy').map((entry) => entry.ip);
  const loadBalancerIPs = addressesOf(captured, 'status.loadBalancer.ingress', problems).filter((address) => usable(address, 'status.loadBalancer.ingress', problems));
  const ranges = spec.type === 'LoadBalancer' ? rangesOf(array(spec.loadBalancerSourceRanges), problems) : undefined;
  const family = (name: IpFamily): FamilyAddresses | undefined => {
    const mine = (address: string): boolean => familyOf(address) === name;
    const cluster = clusterIPs.filter(mine);
    if (cluster.length === 0) return undefined;
    return { clusterIPs: cluster, externalIPs: externalIPs.filter(mine), loadBalancerIPs: loadBalancerIPs.filter(mine), sources: ranges?.filter((range) => range.family === name) };
  };
  const ip = family('ip');
  const ip6 = family('ip6');
  return {
    key,
    created: typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : '',
    ports,
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
    stickySeconds: spec.sessionAffinity === 'ClientIP' ? affinitySeconds(spec.sessionAffinityConfig?.clientIP?.timeoutSeconds, problems) : 0,
    externalLocal: spec.externalTrafficPolicy === 'Local',
    internalLocal: spec.internalTrafficPolicy === 'Local',
    isHashed: metadata.annotations?.[HASH_ANNOTATION] === 'consistent-hash',
    healthCheckNodePort: spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local' ? healthPort(spec.healthCheckNodePort, problems) : 0,
    problems,
  };
}

/** The cluster IPs of a Service whoever serves it: those of another proxy's Services must not be dropped as unallocated. */
export function clusterIPsOf({ spec }: Service): readonly string[] {
  if (!isObject(spec) || spec.type === 'ExternalName') return [];
  const listed = array(spec.clusterIPs);
  return (listed.length > 0 ? listed : [spec.clusterIP]).map(canonicalAddress).filter((address) => address !== undefined);
}

function portsOf(ports: readonly unknown[], hasNodePorts: boolean, problems: string[]): PortInfo[] {
  const result: PortInfo[] = [];
  for (const value of ports) {
    const { name = '', port, protocol = 'TCP', nodePort } = (isObject(value) ? value : {}) as Partial<ServicePort>;
    const number = PROTOCOL_NUMBERS[protocol];
    if (number === undefined) problems.push(`spec.ports: protocol ${JSON.stringify(protocol)} is none of TCP, UDP, SCTP`);
    else if (!isPort(port)) problems.push(`spec.ports: port ${JSON.stringify(port)} is not a number from 1 to 65535`);
    else if (typeof name !== 'string') problems.push('spec.ports: name is not text');
    else if (result.some((other) => other.protocol === number && (other.port === port || other.name === name))) problems.push(`spec.ports: ${protocol} ${port} (${JSON.stringify(name)}) appears twice`);
    else {
      const hasNodePort = hasNodePorts && nodePort !== undefined && nodePort !== 0;
      if (hasNodePort && !isPort(nodePort)) problems.push(`spec.ports: nodePort ${JSON.stringify(nodePort)} is not a number from 1 to 65535`);
      result.push({ name, protocol: number, port, nodePort: hasNodePort && isPort(nodePort) ? nodePort : 0 });
    }
  }
  return result;
}

function addressesOf(values: readonly unknown[], field: string, problems: string[]): string[] {
  const found = new Set<string>();
  for (const value of values) {
    const address = canonicalAddress(value);
    if (address === undefined) problems.push(`${field}: ${JSON.stringify(value)} is not an IP address`);
    else found.add(address);
  }
  return [...found];
}

function usable(address: string, field: string, problems: string[]): boolean {
  if (isUsableEndpoint(address)) return true;
  problems.push(`${field}: ${address} is an address that nothing can be sent to`);
  return false;
}

function rangesOf(values: readonly unknown[], problems: string[]): Cidr[] | undefined {
  if (values.length === 0) return undefined;
  const cidrs: Cidr[] = [];
  for (const value of values) {
    const cidr = parseCidr(value);
    if (cidr === undefined) problems.push(`spec.loadBalancerSourceRanges: ${JSON.stringify(value)} is not a CIDR`);
    else cidrs.push(cidr);
  }
  return cidrs; // when every one of them is bad, nobody is let in: the safe reading
}

function affinitySeconds(value: unknown, problems: string[]): number {
  if (value === undefined || value === null) return DEFAULT_AFFINITY_SECONDS;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_AFFINITY_SECONDS) return value;
  problems.push(`spec.sessionAffinityConfig.clientIP.timeoutSeconds: ${JSON.stringify(value)} is not a number from 1 to ${MAX_AFFINITY_SECONDS}`);
  return DEFAULT_AFFINITY_SECONDS;
}

function healthPort(value: unknown, problems: string[]): number {
  if (value === undefined || value === 0) return 0;
  if (isPort(value)) return value;
  problems.push(`spec.healthCheckNodePort: ${JSON.stringify(value)} is not a number from 1 to 65535`);
  return 0;
}

export function isGiven(value: unknown): boolean { return value !== undefined && value !== null; }

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
