import type { AllocationSettings } from '../registry/definition.ts';
import { canonicalIp } from '../kinds/common/ip.ts';
import { parseIpRange, rangeHas } from './ip-range.ts';
import type { ServiceInput } from './service-input.ts';

/** One holder per address of a range; the range is in the key so that usage can be counted per range. */
export const ipClaim = (cidr: string, address: string): string => `ip/${cidr}/${canonicalIp(address)}`;

/** One holder per port number: a Service may use the same number for TCP and UDP, two Services may not. */
export const nodePortClaim = (port: number): string => `nodeport/${port}`;

/** Every claim that a stored Service needs, by its fields alone. */
export function serviceClaims(service: ServiceInput, settings: AllocationSettings): string[] {
  const spec = service.spec ?? {};
  const ranges = settings.serviceClusterIpRanges.map(parseIpRange);
  const keys = new Set<string>();
  for (const address of spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])) {
    const range = ranges.find((candidate) => rangeHas(candidate, address));
    if (range !== undefined) keys.add(ipClaim(range.cidr, address));
  }
  for (const { nodePort = 0 } of spec.ports ?? []) if (nodePort !== 0) keys.add(nodePortClaim(nodePort));
  if ((spec.healthCheckNodePort ?? 0) !== 0) keys.add(nodePortClaim(spec.healthCheckNodePort ?? 0));
  return [...keys];
}
