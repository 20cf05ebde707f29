// Topology hints from `spec.trafficDistribution`, pure: each endpoint says for which zone or node it is meant.
// https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution
import type { Endpoint, Service } from '@podwire/kube-client';

/** PreferClose and PreferSameZone hint each endpoint's own zone; PreferSameNode its own node as well. */
export function withHints(service: Service, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const distribution = service.spec?.trafficDistribution;
  if (distribution === undefined) return endpoints;
  return endpoints.map((endpoint) => {
    const forZones = endpoint.zone === undefined ? {} : { forZones: [{ name: endpoint.zone }] };
    const forNodes = distribution === 'PreferSameNode' && endpoint.nodeName !== undefined ? { forNodes: [{ name: endpoint.nodeName }] } : {};
    const hints = { ...forZones, ...forNodes };
    return Object.keys(hints).length === 0 ? endpoint : { ...endpoint, hints };
  });
}
