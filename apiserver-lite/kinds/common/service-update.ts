import type { ServiceInput, ServiceSpecInput } from '../../allocation/service-input.ts';
import { isHeadless, mayHaveNodePorts, needsClusterIp, needsHealthCheckPort } from '../../allocation/service-input.ts';
import { sameJson } from './faults.ts';

/**
 * What an update need not repeat and what a change of type makes meaningless. A client that sends the manifest it created the
 * Service from means "as it is", not "without a cluster IP".
 */
export function carryOver(service: ServiceInput, old: ServiceInput): void {
  const spec = (service.spec ??= {});
  const before = old.spec ?? {};
  keepAllocated(spec, before);
  dropForType(spec, before);
}

function keepAllocated(spec: ServiceSpecInput, old: ServiceSpecInput): void {
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    const first = spec.clusterIP ?? '';
    if (first === '' && (spec.clusterIPs ?? []).length === 0) {
      spec.clusterIP = old.clusterIP;
      spec.clusterIPs = old.clusterIPs;
    } else if (first !== '' && (spec.clusterIPs ?? []).length === 0) {
      spec.clusterIPs = first === old.clusterIP ? old.clusterIPs : [first];
    } else if (first === '') {
      spec.clusterIP = spec.clusterIPs?.[0];
    } else if (first !== old.clusterIP && sameJson(spec.clusterIPs, old.clusterIPs)) {
      // Only the old name of the field was changed: the list follows, and validation says that it may not.
      spec.clusterIPs = [first];
    }
    spec.ipFamilyPolicy ??= old.ipFamilyPolicy;
    if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = old.ipFamilies;
    if (spec.ipFamilyPolicy === 'SingleStack' && sameJson(spec.ipFamilies, old.ipFamilies) && sameJson(spec.clusterIPs, old.clusterIPs)) {
      // Down to one family: the second goes, whatever the client left in place.
      spec.ipFamilies = spec.ipFamilies?.slice(0, 1);
      if (!isHeadless(spec)) spec.clusterIPs = spec.clusterIPs?.slice(0, 1);
    }
  }
  if (mayHaveNodePorts(spec) && mayHaveNodePorts(old)) {
    const taken = new Set((spec.ports ?? []).map((port) => `${port.protocol ?? 'TCP'}/${port.nodePort ?? 0}`));
    for (const port of spec.ports ?? []) {
      if ((port.nodePort ?? 0) !== 0) continue;
      const same = old.ports?.find((other) => other.port === port.port && (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
      if (same?.nodePort !== undefined && !taken.has(`${port.protocol ?? 'TCP'}/${same.nodePort}`)) port.nodePort = same.nodePort;
    }
  }
  if (needsHealthCheckPort(spec) && needsHealthCheckPort(old) && (spec.healthCheckNodePort ?? 0) === 0) spec.healthCheckNodePort = old.healthCheckNodePort;
}

/** Fields that the new type does not have are dropped when the client merely left them as they were. */
function dropForType(spec: ServiceSpecInput, old: ServiceSpecInput): void {
  if (!needsClusterIp(spec) && needsClusterIp(old)) {
    for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const) dropUnchanged(spec, old, key);
  }
  if (!mayHaveNodePorts(spec) && mayHaveNodePorts(old)) {
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (old.ports?.some((other) => other.nodePort === port.nodePort) === true || old.ports?.[index]?.nodePort === port.nodePort) delete port.nodePort;
    }
    dropUnchanged(spec, old, 'externalTrafficPolicy');
  }
  if (!needsHealthCheckPort(spec) && needsHealthCheckPort(old)) dropUnchanged(spec, old, 'healthCheckNodePort');
  if (spec.type !== 'LoadBalancer' && old.type === 'LoadBalancer') {
    dropUnchanged(spec, old, 'allocateLoadBalancerNodePorts');
    dropUnchanged(spec, old, 'loadBalancerClass');
  }
}

function dropUnchanged(spec: ServiceSpecInput, old: ServiceSpecInput, key: keyof ServiceSpecInput): void {
  if (sameJson(spec[key], old[key])) Reflect.deleteProperty(spec, key);
}
