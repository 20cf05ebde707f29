// From a Service and the pods it selects to endpoints, pure: which pods count, with which ports and which conditions.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
import type { Endpoint, EndpointPort, Node, Pod, Service } from '@podwire/kube-client';
import { isPodReady } from '../shared/pods.ts';

export type AddressType = 'IPv4' | 'IPv6';

/** Endpoints that share one list of ports: pods may resolve a named target port to different numbers. */
export interface EndpointGroup {
  readonly addressType: AddressType;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** The number that a Service port means on this pod, or `undefined` when the pod has no port of that name. */
export function targetPortNumber(pod: Pod, port: NonNullable<NonNullable<Service['spec']>['ports']>[number]): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const protocol = port.protocol ?? 'TCP';
  for (const container of pod.spec?.containers ?? []) {
    const match = container.ports?.find(({ name, protocol: spoken }) => name === target && (spoken ?? 'TCP') === protocol);
    if (match !== undefined) return match.containerPort;
  }
  return undefined;
}

function endpointPorts(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPortNumber(pod, port);
    if (number === undefined) continue;
    ports.push({ name: port.name ?? '', port: number, protocol: port.protocol ?? 'TCP', ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }) });
  }
  return ports;
}

const addressTypeOf = (address: string): AddressType => (address.includes(':') ? 'IPv6' : 'IPv4');

/** A pod has an endpoint from the moment it has an address until it has finished; its deletion only makes it terminating. */
function hasEndpoint(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return pod.status?.podIP !== undefined && pod.spec?.nodeName !== undefined && phase !== 'Succeeded' && phase !== 'Failed';
}

function endpointOf(service: Service, pod: Pod, address: string, node: Node | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  const publish = service.spec?.publishNotReadyAddresses === true;
  const zone = node?.metadata?.labels?.['topology.kubernetes.io/zone'];
  const hostname = pod.spec?.subdomain === service.metadata?.name ? pod.spec?.hostname : undefined;
  return {
    addresses: [address],
    conditions: { ready: publish || (serving && !terminating), serving: publish || serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' },
  };
}

/** The families in which a Service is published: its own, or IPv4 where the API server set none. */
export function addressTypesOf(service: Service): readonly AddressType[] {
  const families = service.spec?.ipFamilies ?? [];
  return families.length === 0 ? ['IPv4'] : families.map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
}

/** All endpoints of a Service, grouped by family and port list, each group in the order of the pods' names. */
export function endpointGroups(service: Service, pods: readonly Pod[], nodeByName: (name: string) => Node | undefined): readonly EndpointGroup[] {
  const groups = new Map<string, { addressType: AddressType; ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
  const wanted = new Set(addressTypesOf(service));
  const ordered = [...pods].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  for (const pod of ordered) {
    if (!hasEndpoint(pod)) continue;
    const ports = endpointPorts(service, pod);
    const addresses = pod.status?.podIPs?.map(({ ip }) => ip ?? '') ?? [pod.status?.podIP ?? ''];
    for (const address of addresses) {
      const addressType = addressTypeOf(address);
      if (address === '' || !wanted.has(addressType)) continue;
      const key = `${addressType} ${JSON.stringify(ports)}`;
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(endpointOf(service, pod, address, nodeByName(pod.spec?.nodeName ?? '')));
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}
