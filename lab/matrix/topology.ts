// What the matrix knows of a cluster: read once from the API, then plain data.
import ipaddr from 'ipaddr.js';
import type { EndpointSlice, KubeClient, Node, Pod, Service, ServiceCIDR } from '@podwire/kube-client';
import { isNotFound, resources } from '@podwire/kube-client';
import type { Family } from './model.ts';
import { APP_LABEL, NAMESPACE } from './workload-objects.ts';

export interface NodeFacts {
  readonly name: string;
  readonly internalIPs: readonly string[];
  readonly podCIDRs: readonly string[];
}

export interface ProbePod {
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
}

export interface ServiceFacts {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIPs: readonly string[];
  readonly externalIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  readonly ports: readonly { readonly protocol: string; readonly port: number; readonly nodePort?: number }[];
  /** Whether any endpoint is ready. */
  readonly ready: boolean;
}

export interface Topology {
  readonly nodes: readonly NodeFacts[];
  /** The matrix's own pods. */
  readonly pods: readonly ProbePod[];
  /** The matrix's own Services, by name. */
  readonly services: ReadonlyMap<string, ServiceFacts>;
  /** Everybody else's, without headless and ExternalName ones. */
  readonly otherServices: readonly ServiceFacts[];
  readonly serviceCIDRs: readonly string[];
  readonly outsideAddresses: readonly string[];
  /** Port of the matrix's own server outside the cluster; undefined when there is none. */
  readonly outsidePort: number | undefined;
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');
export const ofFamily = (addresses: readonly string[], family: Family): readonly string[] => addresses.filter((address) => familyOf(address) === family);

/** Addresses that a node may send from: its own, and its devices' in the pod network (VXLAN .0, bridge .1). */
export function nodeSources(node: NodeFacts, family: Family): readonly string[] {
  const inPodNetwork = ofFamily(node.podCIDRs, family).flatMap((cidr) => {
    const [base = ''] = cidr.split('/');
    return [base, nextAddress(base, 1)];
  });
  return [...ofFamily(node.internalIPs, family), ...inPodNetwork];
}

/** `offset` may be negative: counted from behind the network's last address is the caller's business. */
export function nextAddress(address: string, offset: number): string {
  const bytes = ipaddr.parse(address).toByteArray();
  let carry = offset;
  for (let i = bytes.length - 1; i >= 0 && carry !== 0; i--) {
    const sum = (bytes[i] ?? 0) + carry;
    bytes[i] = ((sum % 256) + 256) % 256;
    carry = Math.floor(sum / 256);
  }
  return ipaddr.fromByteArray(bytes).toString();
}

export async function readTopology(client: KubeClient, outside: Pick<Topology, 'outsideAddresses' | 'outsidePort'>, signal?: AbortSignal): Promise<Topology> {
  const options = signal === undefined ? {} : { signal };
  const [nodes, pods, services, slices, cidrs] = await Promise.all([
    client.list(resources.nodes, options),
    client.list(resources.pods, { ...options, namespace: NAMESPACE, labelSelector: APP_LABEL }),
    client.list(resources.services, options),
    client.list(resources.endpointSlices, options),
    serviceCIDRs(client, options),
  ]);
  return topologyOf({ nodes: nodes.items, pods: pods.items, services: services.items, slices: slices.items, cidrs }, outside);
}

async function serviceCIDRs(client: KubeClient, options: { readonly signal?: AbortSignal }): Promise<readonly ServiceCIDR[]> {
  try {
    return (await client.list(resources.serviceCIDRs, options)).items;
  } catch (error) {
    if (isNotFound(error)) return []; // before Kubernetes 1.33
    throw error;
  }
}

interface Objects {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly cidrs: readonly ServiceCIDR[];
}

export function topologyOf({ nodes, pods, services, slices, cidrs }: Objects, outside: Pick<Topology, 'outsideAddresses' | 'outsidePort'>): Topology {
  const readyServices = new Set(slices.filter(({ endpoints }) => endpoints.some(({ conditions }) => conditions?.ready !== false))
    .map(({ metadata }) => `${metadata?.namespace ?? ''}/${metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`));
  const facts = services.filter(({ spec }) => spec?.type !== 'ExternalName' && spec?.clusterIP !== 'None' && (spec?.clusterIP ?? '') !== '').map((service) => serviceFacts(service, readyServices));
  return {
    nodes: nodes.map(({ metadata, spec, status }) => ({
      name: metadata?.name ?? '',
      internalIPs: (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
      podCIDRs: spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]),
    })).sort((a, b) => a.name.localeCompare(b.name)),
    pods: pods.filter(({ metadata, status }) => status?.phase === 'Running' && metadata?.deletionTimestamp === undefined).map(({ metadata, spec, status }) => ({
      name: metadata?.name ?? '', node: spec?.nodeName ?? '', ips: (status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []),
    })).sort((a, b) => a.name.localeCompare(b.name)),
    services: new Map(facts.filter(({ namespace }) => namespace === NAMESPACE).map((one) => [one.name, one])),
    otherServices: facts.filter(({ namespace }) => namespace !== NAMESPACE),
    serviceCIDRs: cidrs.flatMap(({ spec }) => spec?.cidrs ?? []),
    ...outside,
  };
}

function serviceFacts({ metadata, spec, status }: Service, ready: ReadonlySet<string>): ServiceFacts {
  const namespace = metadata?.namespace ?? '';
  const name = metadata?.name ?? '';
  return {
    namespace, name,
    clusterIPs: spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]),
    externalIPs: spec?.externalIPs ?? [],
    loadBalancerIPs: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
    ports: (spec?.ports ?? []).map(({ protocol, port, nodePort }) => ({ protocol: protocol ?? 'TCP', port, ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }) })),
    ready: ready.has(`${namespace}/${name}`),
  };
}
