import type { Service, ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { Loose } from '../kinds/common/loose.ts';

export type ServiceInput = Loose<Service>;
export type ServiceSpecInput = Loose<ServiceSpec>;

export function isHeadless(spec: ServiceSpecInput): boolean {
  return spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
}

export function needsClusterIp(spec: ServiceSpecInput): boolean {
  return (spec.type ?? 'ClusterIP') !== 'ExternalName';
}

/** Whether every port of the Service gets a node port. */
export function needsNodePorts(spec: ServiceSpecInput): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

/** Whether node ports may stand in the Service at all. */
export function mayHaveNodePorts(spec: ServiceSpecInput): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

export function needsHealthCheckPort(spec: ServiceSpecInput): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}
