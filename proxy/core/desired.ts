// Services, slices and the node in; what each Service port should look like in the kernel out. Pure.
import { addressNumber, familyOf, inRange, mergeRanges } from './address.ts';
import type { AddressRange, IpFamily } from './address.ts';
import { categorize } from './categorize.ts';
import type { Backend, NodeInfo } from './categorize.ts';
import type { FamilyAddresses, PortInfo, ServiceInfo } from './service-info.ts';
import type { SliceInfo } from './slice-info.ts';

/** The second hex digit of a frontend row's value: the chain that `policies` leads to. */
export const CLASS = {
  clusterIP: 1,
  externalCluster: 2,
  externalLocal: 3,
  noEndpoints: 4,
  guardCluster: 5,
  guardLocal: 6,
  guardNone: 7,
} as const;

/** A row of `service` (address given) or `node-port` (address ''). */
export interface Front {
  readonly address: string;
  readonly protocol: number;
  readonly port: number;
  readonly class: number;
  /** Leads to the local-only twin. */
  readonly isTwin: boolean;
}

export interface DesiredPort {
  /** namespace/name:port-name/protocol; the same for all of a port's addresses. */
  readonly key: string;
  readonly info: PortInfo;
  readonly fronts: readonly Front[];
  readonly clusterIPs: readonly string[];
  readonly cluster: readonly Backend[];
  /** undefined: no address of this port uses the policy Local, no twin is needed. */
  readonly local: readonly Backend[] | undefined;
  readonly stickySeconds: number;
  readonly isHashed: boolean;
  readonly sources: readonly AddressRange[] | undefined;
}

export interface DesiredService {
  readonly key: string;
  readonly created: string;
  readonly ports: readonly DesiredPort[];
}

/** One family of one Service; undefined when it has no address there. */
export function desiredService(service: ServiceInfo, slices: readonly SliceInfo[], family: IpFamily, node: NodeInfo): DesiredService | undefined {
  const addresses = service[family];
  if (addresses === undefined) return undefined;
  const mine = slices.filter((slice) => slice.family === family);
  const ports = service.ports.map((info): DesiredPort => {
    const { cluster, local } = categorize(info, mine, node);
    const { protocol, port } = info;
    const hasAny = cluster.length > 0 || local.length > 0;
    const inside = hasAny ? CLASS.clusterIP : CLASS.noEndpoints;
    const outside = !hasAny ? CLASS.noEndpoints : service.externalLocal ? CLASS.externalLocal : CLASS.externalCluster;
    const guarded = !hasAny ? CLASS.guardNone : service.externalLocal ? CLASS.guardLocal : CLASS.guardCluster;
    const fronts: Front[] = addresses.clusterIPs.map((address) => ({ address, protocol, port, class: inside, isTwin: service.internalLocal && hasAny }));
    const external = (address: string, frontPort: number, value: number): void => {
      if (!fronts.some((front) => front.address === address && front.port === frontPort)) fronts.push({ address, protocol, port: frontPort, class: value, isTwin: false });
    };
    for (const address of addresses.loadBalancerIPs) external(address, port, addresses.sources === undefined ? outside : guarded);
    for (const address of addresses.externalIPs) external(address, port, outside);
    const internalOnly = fronts.length === addresses.clusterIPs.length && info.nodePort === 0;
    if (info.nodePort !== 0) external('', info.nodePort, outside);
    const needsTwin = service.internalLocal || (service.externalLocal && !internalOnly);
    return {
      key: `${service.key}:${info.name}/${protocol}`,
      info,
      fronts,
      clusterIPs: addresses.clusterIPs,
      cluster,
      local: needsTwin ? local : undefined,
      stickySeconds: service.stickySeconds,
      isHashed: service.isHashed,
      sources: addresses.loadBalancerIPs.length === 0 ? undefined : allowedSources(addresses, family, node),
    };
  });
  return { key: service.key, created: service.created, ports };
}

/** Local endpoints of the external policy: what healthCheckNodePort answers. All of a Service's ports, both families. */
export function countLocalEndpoints(service: ServiceInfo, slices: readonly SliceInfo[], node: NodeInfo): number {
  const found = new Set<string>();
  for (const info of service.ports) {
    for (const backend of categorize(info, slices, node).local) found.add(backend.address);
  }
  return found.size;
}

/** A node that may reach the load balancer reaches it from the load balancer's own address, too: the kernel chooses that source for local addresses. */
function allowedSources(addresses: FamilyAddresses, family: IpFamily, node: NodeInfo): readonly AddressRange[] | undefined {
  const { sources } = addresses;
  if (sources === undefined) return undefined;
  const holdsNode = node.ips.some((address) => familyOf(address) === family && inRange(sources, address));
  const own = holdsNode ? addresses.loadBalancerIPs.map(addressNumber).map((value) => ({ first: value, last: value })) : [];
  return mergeRanges([...sources, ...own]);
}
