import { dnsLabelFaults, dnsSubdomainFaults, portNumberFaults } from '../../conventions/names.ts';
import type { ServiceInput, ServiceSpecInput } from '../../allocation/service-input.ts';
import { isHeadless, mayHaveNodePorts, needsHealthCheckPort } from '../../allocation/service-input.ts';
import type { ValidationContext } from '../../registry/definition.ts';
import { duplicate, forbidden, invalid, invalidEach, required } from '../../registry/field-error.ts';
import type { FieldError } from '../../registry/field-error.ts';
import { checkPortReference } from './container-validation.ts';
import { Faults } from './faults.ts';
import { cidrFault, ipFault } from './ip.ts';
import { checkLabels } from './labels.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const MAX_AFFINITY_SECONDS = 86_400;

export function checkService(service: ServiceInput, context: ValidationContext<ServiceInput>): FieldError[] {
  const faults = new Faults();
  const spec = service.spec ?? {};
  if (context.subresource === 'status') return faults.list;
  faults.oneOf('spec.type', spec.type, TYPES);
  if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') faults.add(required('spec.ports'));
  checkType(faults, spec);
  checkPorts(faults, spec);
  checkLabels(faults, 'spec.selector', spec.selector);
  checkAffinity(faults, spec);
  checkAddresses(faults, spec);
  checkPolicies(faults, spec);
  if (context.operation === 'update' && context.old !== undefined) checkUpdate(faults, spec, context.old.spec ?? {});
  return faults.list;
}

function checkType(faults: Faults, spec: ServiceSpecInput): void {
  if (isHeadless(spec) && mayHaveNodePorts(spec)) {
    faults.add(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type ?? ''} services`));
  }
  if (spec.type !== 'ExternalName') return;
  if ((spec.clusterIPs ?? []).length > 0 || (spec.clusterIP ?? '') !== '') faults.add(forbidden('spec.clusterIPs', 'may not be set for ExternalName services'));
  if ((spec.externalName ?? '') === '') faults.add(required('spec.externalName'));
  else faults.name('spec.externalName', (spec.externalName ?? '').replace(/\.$/, ''), dnsSubdomainFaults);
}

function checkPorts(faults: Faults, spec: ServiceSpecInput): void {
  const ports = spec.ports ?? [];
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  faults.unique((index) => `spec.ports[${index}].name`, ports, (port) => port.name);
  ports.forEach((port, index) => {
    const at = `spec.ports[${index}]`;
    if ((port.name ?? '') === '') {
      if (ports.length > 1) faults.add(required(`${at}.name`));
    } else faults.name(`${at}.name`, port.name, dnsLabelFaults);
    faults.add(...invalidEach(`${at}.port`, port.port ?? 0, portNumberFaults(port.port ?? 0)));
    faults.oneOf(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
    if (port.targetPort !== undefined) checkPortReference(faults, `${at}.targetPort`, port.targetPort);
    if ((port.nodePort ?? 0) !== 0 && !mayHaveNodePorts(spec)) {
      faults.add(forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type ?? 'ClusterIP'}'`));
    }
    const protocol = port.protocol ?? 'TCP';
    const key = `${protocol}/${port.port ?? 0}`;
    if (numbers.has(key)) faults.add(duplicate(at, { protocol, port: port.port }));
    numbers.add(key);
    if ((port.nodePort ?? 0) === 0) return;
    const nodeKey = `${protocol}/${port.nodePort ?? 0}`;
    if (nodePorts.has(nodeKey)) faults.add(duplicate(`${at}.nodePort`, port.nodePort));
    nodePorts.add(nodeKey);
  });
}

function checkAffinity(faults: Faults, spec: ServiceSpecInput): void {
  faults.oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']);
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === 'ClientIP' && seconds !== undefined && (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS)) {
    faults.add(invalid('spec.sessionAffinityConfig.clientIP.timeoutSeconds', seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`));
  }
}

function checkAddresses(faults: Faults, spec: ServiceSpecInput): void {
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP === undefined || spec.clusterIP === '' ? [] : [spec.clusterIP]);
  if ((spec.clusterIP ?? '') !== '' && spec.clusterIPs !== undefined && spec.clusterIPs.length > 0 && spec.clusterIPs[0] !== spec.clusterIP) {
    faults.add(invalid('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
  }
  clusterIPs.forEach((ip, index) => {
    const fault = ip === 'None' && index === 0 ? undefined : ipFault(ip);
    if (fault !== undefined) faults.add(invalid(`spec.clusterIPs[${index}]`, ip, fault));
  });
  if (clusterIPs.length > 2) faults.add(invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'));
  if (clusterIPs.includes('None') && clusterIPs.length > 1) faults.add(invalid('spec.clusterIPs', clusterIPs, "'None' must be the first and only value"));
  spec.externalIPs?.forEach((ip, index) => {
    const fault = ipFault(ip) ?? (/^(127\.|0\.0\.0\.0$|169\.254\.|224\.0\.0\.|::1?$|fe80:)/i.test(ip) ? 'may not be an unspecified, loopback or link-local address' : undefined);
    if (fault !== undefined) faults.add(invalid(`spec.externalIPs[${index}]`, ip, fault));
  });
  spec.loadBalancerSourceRanges?.forEach((cidr, index) => {
    const fault = cidrFault(cidr.trim());
    if (fault !== undefined) faults.add(invalid(`spec.loadBalancerSourceRanges[${index}]`, cidr, fault));
  });
  if ((spec.loadBalancerSourceRanges ?? []).length > 0 && spec.type !== 'LoadBalancer') {
    faults.add(forbidden('spec.LoadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"));
  }
}

function checkPolicies(faults: Faults, spec: ServiceSpecInput): void {
  const external = mayHaveNodePorts(spec) || (spec.externalIPs ?? []).length > 0;
  const policies = ['Cluster', 'Local'];
  if (spec.externalTrafficPolicy !== undefined && !external) {
    faults.add(invalid('spec.externalTrafficPolicy', spec.externalTrafficPolicy, 'may only be set for externally-accessible services'));
  } else {
    faults.oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, policies);
  }
  faults.oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies);
  faults.oneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, ['SingleStack', 'PreferDualStack', 'RequireDualStack']);
  spec.ipFamilies?.forEach((family, index) => faults.oneOf(`spec.ipFamilies[${index}]`, family, ['IPv4', 'IPv6']));
  const { trafficDistribution } = spec as { trafficDistribution?: string };
  faults.oneOf('spec.trafficDistribution', trafficDistribution, ['PreferClose', 'PreferSameZone', 'PreferSameNode']);
  if ((spec.healthCheckNodePort ?? 0) !== 0 && !needsHealthCheckPort(spec)) {
    faults.add(invalid('spec.healthCheckNodePort', spec.healthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    faults.add(forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
  }
}

/** A cluster IP is for life: clients and kernel rules hold it. */
function checkUpdate(faults: Faults, spec: ServiceSpecInput, old: ServiceSpecInput): void {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return;
  const before = old.clusterIPs?.[0] ?? old.clusterIP ?? '';
  const now = spec.clusterIPs?.[0] ?? spec.clusterIP ?? '';
  if (before !== '' && now !== before) faults.add(invalid('spec.clusterIPs[0]', now === '' ? spec.clusterIPs ?? [] : now, now === '' ? 'primary clusterIP can not be unset' : 'may not change once set'));
  const [oldSecond, second] = [old.clusterIPs?.[1], spec.clusterIPs?.[1]];
  if (oldSecond !== undefined && second !== oldSecond && spec.ipFamilyPolicy !== 'SingleStack') {
    faults.add(invalid('spec.clusterIPs[1]', second ?? '', second === undefined ? "secondary clusterIP can not be unset: set `ipFamilyPolicy` to 'SingleStack'" : 'may not change once set'));
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(spec) && (old.healthCheckNodePort ?? 0) !== (spec.healthCheckNodePort ?? 0)) {
    faults.add(invalid('spec.healthCheckNodePort', spec.healthCheckNodePort, 'field is immutable'));
  }
}
