// What the two words of `podwire trace FROM TO` mean in this cluster. Pure.
import type { Pod, Service } from '@podwire/kube-client';
import type { World } from './correlate/world.ts';

export class TraceTargetError extends Error {
  override readonly name = 'TraceTargetError';
}

export type Family = 'IPv4' | 'IPv6';

export type From = Readonly<{ kind: 'pod'; namespace: string; name: string; node: string } | { kind: 'node'; name: string } | { kind: 'outside' }>;

export interface To {
  readonly host: string;
  readonly port: number;
  /** Ports that packets may carry on the way: the asked one and the endpoints' own. */
  readonly ports: readonly number[];
  /** As the user said it, made exact: `svc/default/web:80`. */
  readonly label: string;
}

const names = (objects: readonly { readonly metadata?: { readonly namespace?: string; readonly name?: string } }[]): string => objects.map(({ metadata }) => `${metadata?.namespace === 'default' ? '' : `${metadata?.namespace ?? ''}/`}${metadata?.name ?? ''}`).sort().join(', ');

function splitName(text: string): { readonly namespace: string; readonly name: string } {
  const slash = text.indexOf('/');
  return slash < 0 ? { namespace: 'default', name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

const live = ({ status, metadata }: Pod): boolean => status?.phase !== 'Succeeded' && status?.phase !== 'Failed' && metadata?.deletionTimestamp === undefined;

/** A pod by its name, or by the beginning of its name (a Deployment's): then the first that runs. */
function findPod(text: string, { pods }: World): Pod {
  const { namespace, name } = splitName(text.replace(/^pod\//, ''));
  const inNamespace = pods.filter(({ metadata }) => metadata?.namespace === namespace);
  const found = inNamespace.find(({ metadata }) => metadata?.name === name) ?? inNamespace.filter(live).sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1)).find(({ metadata }) => metadata?.name?.startsWith(`${name}-`) === true);
  if (found === undefined) throw new TraceTargetError(`no pod '${text}'; there are: ${names(pods.filter(live)) || 'none'}`);
  if (found.status?.podIP === undefined) throw new TraceTargetError(`pod ${namespace}/${found.metadata?.name ?? ''} has no address yet (${found.status?.phase ?? 'Pending'}); wait until it runs: kubectl -n ${namespace} get pod ${found.metadata?.name ?? ''}`);
  return found;
}

export function parseFrom(text: string, world: World): From {
  if (text === 'outside') return { kind: 'outside' };
  if (text.startsWith('node/')) {
    const name = text.slice('node/'.length);
    if (!world.nodes.some(({ metadata }) => metadata?.name === name)) throw new TraceTargetError(`no node '${name}'; there are: ${world.nodes.map(({ metadata }) => metadata?.name ?? '').join(', ')}`);
    return { kind: 'node', name };
  }
  const pod = findPod(text, world);
  return { kind: 'pod', namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', node: pod.spec?.nodeName ?? '' };
}

const parsePort = (text: string | undefined, what: string): number | undefined => {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new TraceTargetError(`${what}: port '${text}' is not a number from 1 to 65535`);
  return port;
};

/** `10.0.0.1:80`, `[fd00::1]:80`. */
function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? undefined : { host, port: parsePort(match?.[3], text) ?? 0 };
}

function servicePort(service: Service, asked: string | undefined, protocol: string, label: string): number {
  const ports = (service.spec?.ports ?? []).filter((one) => (one.protocol ?? 'TCP').toLowerCase() === protocol);
  const found = asked === undefined ? ports[0] : ports.find(({ name, port }) => name === asked || String(port) === asked);
  if (found === undefined) throw new TraceTargetError(`${label} has no ${protocol.toUpperCase()} port${asked === undefined ? '' : ` ${asked}`}; it has: ${(service.spec?.ports ?? []).map((one) => `${one.port}/${one.protocol ?? 'TCP'}`).join(', ')}`);
  return found.port;
}

const isOf = (family: Family) => (address: string): boolean => address.includes(':') === (family === 'IPv6');

function toService(text: string, world: World, protocol: string, family: Family | undefined): To {
  const [path = '', asked] = text.slice('svc/'.length).split(':');
  const { namespace, name } = splitName(path);
  const service = world.services.find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name);
  if (service === undefined) throw new TraceTargetError(`no Service '${path}'; there are: ${names(world.services)}`);
  const primary = service.spec?.clusterIP;
  if (primary === undefined || primary === 'None' || primary === '') throw new TraceTargetError(`Service ${namespace}/${name} has no cluster IP (it is headless or ExternalName); trace to one of its pods instead`);
  const host = family === undefined ? primary : service.spec?.clusterIPs?.find(isOf(family));
  if (host === undefined) throw new TraceTargetError(`Service ${namespace}/${name} has no ${family ?? ''} cluster IP; it has: ${(service.spec?.clusterIPs ?? [primary]).join(', ')}`);
  const port = servicePort(service, asked, protocol, `Service ${namespace}/${name}`);
  return { host, port, ports: [port, ...endpointPorts(world, service)], label: `svc/${namespace}/${name}:${port}` };
}

function endpointPorts({ slices }: World, service: Service): readonly number[] {
  const own = slices.filter(({ metadata }) => metadata?.namespace === service.metadata?.namespace && metadata?.labels?.['kubernetes.io/service-name'] === service.metadata?.name);
  return own.flatMap(({ ports }) => (ports ?? []).map(({ port }) => port ?? 0)).filter((port) => port > 0);
}

/** `family` chooses among the addresses of a pod or Service that has both; absent: its first. */
export function parseTo(text: string, world: World, protocol: 'tcp' | 'udp', family?: Family): To {
  if (text.startsWith('svc/') || text.startsWith('service/')) return toService(text.replace(/^service\//, 'svc/'), world, protocol, family);
  const address = parseAddress(text);
  if (address !== undefined) {
    const behind = world.services.filter(({ spec, status }) => (spec?.ports ?? []).some(({ port, nodePort }) => port === address.port || nodePort === address.port) && (spec?.clusterIPs?.includes(address.host) === true || spec?.externalIPs?.includes(address.host) === true || status?.loadBalancer?.ingress?.some(({ ip }) => ip === address.host) === true || spec?.ports?.some(({ nodePort }) => nodePort === address.port) === true));
    return { ...address, ports: [address.port, ...behind.flatMap((service) => endpointPorts(world, service))], label: text };
  }
  const [name = '', asked] = text.split(':');
  const pod = findPod(name, world);
  const declared = pod.spec?.containers.flatMap(({ ports }) => ports ?? []).find((one) => (one.protocol ?? 'TCP').toLowerCase() === protocol)?.containerPort;
  const port = parsePort(asked, text) ?? declared;
  if (port === undefined) throw new TraceTargetError(`pod ${pod.metadata?.name ?? ''} declares no ${protocol.toUpperCase()} port; say which one: ${name}:PORT`);
  const host = family === undefined ? pod.status?.podIP : pod.status?.podIPs?.map(({ ip }) => ip ?? '').find(isOf(family));
  if (host === undefined) throw new TraceTargetError(`pod ${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''} has no ${family ?? ''} address; it has: ${(pod.status?.podIPs ?? []).map(({ ip }) => ip ?? '').join(', ')}`);
  return { host, port, ports: [port], label: `pod ${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}:${port}` };
}
