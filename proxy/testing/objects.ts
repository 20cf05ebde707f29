// Services and slices for tests, in few words.
import type { EndpointSlice, Node, Service } from '@podwire/kube-client';

export interface EndpointWords { readonly address: string; readonly node?: string; readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean; readonly zones?: readonly string[]; readonly nodes?: readonly string[] }

type ServiceSpec = NonNullable<Service['spec']>;

/** A Service on port 80 (TCP and UDP) to 8080, cluster IP given; `spec` overrides. */
export function service(name: string, clusterIPs: readonly string[], spec: Partial<ServiceSpec> = {}, extra: Partial<Service> = {}): Service {
  return {
    ...extra,
    metadata: { name, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z', ...extra.metadata },
    spec: { type: 'ClusterIP', clusterIP: clusterIPs[0] ?? '', clusterIPs: [...clusterIPs], ...(clusterIPs.length > 1 ? { ipFamilyPolicy: 'RequireDualStack' } : {}), ports: [{ name: 't', protocol: 'TCP', port: 80 }, { name: 'u', protocol: 'UDP', port: 80 }], ...spec },
  };
}

/** One slice with ports t/TCP and u/UDP at 8080. */
export function slice(name: string, ofService: string, endpoints: readonly EndpointWords[], ports: EndpointSlice['ports'] = [{ name: 't', protocol: 'TCP', port: 8080 }, { name: 'u', protocol: 'UDP', port: 8080 }]): EndpointSlice {
  return {
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': ofService } },
    addressType: endpoints[0]?.address.includes(':') === true || name.endsWith('6') ? 'IPv6' : 'IPv4',
    ports,
    endpoints: endpoints.map(({ address, node, ready = true, serving, terminating, zones, nodes }) => ({
      addresses: [address],
      conditions: { ready, ...(serving === undefined ? {} : { serving }), ...(terminating === undefined ? {} : { terminating }) },
      ...(node === undefined ? {} : { nodeName: node }),
      ...(zones === undefined && nodes === undefined ? {} : { hints: { ...(zones === undefined ? {} : { forZones: zones.map((zone) => ({ name: zone })) }), ...(nodes === undefined ? {} : { forNodes: nodes.map((node2) => ({ name: node2 })) }) } }),
    })),
  };
}

export function node(name: string, addresses: readonly string[], extra: Partial<Node> = {}): Node {
  return { ...extra, metadata: { name, ...extra.metadata }, status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) } };
}
