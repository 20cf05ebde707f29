import type { AllocationContext } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { canonicalIp } from '../kinds/common/ip.ts';
import { ipClaim, serviceClaims } from './claim-keys.ts';
import { planFamilies } from './families.ts';
import { addressAt, parseIpRange, rangeHas } from './ip-range.ts';
import type { IpRange } from './ip-range.ts';
import { allocateNodePorts } from './node-ports.ts';
import { pickFree, systemRandom } from './pick.ts';
import type { Random } from './pick.ts';
import { isHeadless, needsClusterIp } from './service-input.ts';
import type { ServiceInput, ServiceSpecInput } from './service-input.ts';

/**
 * Gives a Service its addresses and ports, and takes back what it no longer has. Runs inside the transaction that writes the
 * Service, so either both happen or neither. Changes the Service in place.
 */
export function allocateService(service: ServiceInput, context: AllocationContext<ServiceInput>, random: Random = systemRandom): FieldError[] {
  const { claims, old, settings } = context;
  const before = old === undefined ? [] : serviceClaims(old, settings);
  if (context.operation === 'delete') {
    for (const key of before) claims.release(key);
    return [];
  }
  const spec = (service.spec ??= {});
  // What is given up may be asked for again in the same write (a port moved from one entry to another): release last.
  const errors = [...allocateClusterIps(spec, context, random), ...allocateNodePorts(spec, context, random)];
  if (errors.length > 0) return errors;
  const after = new Set(serviceClaims(service, settings));
  for (const key of before) if (!after.has(key)) claims.release(key);
  return [];
}

function allocateClusterIps(spec: ServiceSpecInput, context: AllocationContext<ServiceInput>, random: Random): FieldError[] {
  if (!needsClusterIp(spec)) return [];
  normalizeClusterIp(spec);
  const ranges = context.settings.serviceClusterIpRanges.map(parseIpRange);
  const { families, policy, errors } = planFamilies(spec, ranges.map((range) => range.family));
  if (errors.length > 0) return [...errors];
  spec.ipFamilies = [...families];
  spec.ipFamilyPolicy = policy;
  if (isHeadless(spec)) {
    spec.clusterIP = 'None';
    spec.clusterIPs = ['None'];
    return [];
  }
  const asked = spec.clusterIPs ?? [];
  const addresses: string[] = [];
  for (const [index, family] of families.entries()) {
    const range = ranges.find((candidate) => candidate.family === family);
    if (range === undefined) return [invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster')];
    const wanted = asked[index] ?? '';
    const address = wanted === '' ? takeAny(range, context, random) : takeNamed(range, wanted, context);
    if (typeof address !== 'string') return [address];
    addresses.push(address);
  }
  spec.clusterIPs = addresses;
  spec.clusterIP = addresses[0] ?? '';
  return [];
}

/** clusterIP and clusterIPs[0] are one field under two names; a client may give either. */
function normalizeClusterIp(spec: ServiceSpecInput): void {
  const first = spec.clusterIP ?? '';
  if (first !== '' && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [first];
}

function takeAny(range: IpRange, { claims }: AllocationContext<ServiceInput>, random: Random): string | FieldError {
  const position = pickFree(Number(range.size), random, (offset) => {
    const key = ipClaim(range.cidr, addressAt(range, BigInt(offset)));
    return claims.owner(key) === undefined && claims.take(key);
  });
  if (position === undefined) {
    return { type: 'Internal', field: 'spec.clusterIPs', detail: `failed to allocate a serviceIP: range ${range.cidr} is full` };
  }
  return addressAt(range, BigInt(position));
}

function takeNamed(range: IpRange, wanted: string, { claims, old }: AllocationContext<ServiceInput>): string | FieldError {
  const address = canonicalIp(wanted);
  // The ranges of a cluster may have changed since the Service was made: it keeps its address.
  if (old?.spec?.clusterIPs?.includes(address) === true && !rangeHas(range, address)) return address;
  const fault = (why: string): FieldError => invalid('spec.clusterIPs', [wanted], `failed to allocate IP ${wanted}: ${why}`);
  if (!rangeHas(range, address)) return fault(`provided IP is not in the valid range. The range of valid IPs is ${range.cidr}`);
  return claims.take(ipClaim(range.cidr, address)) ? address : fault('provided IP is already allocated');
}
