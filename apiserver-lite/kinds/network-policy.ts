import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden, invalid, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn, selectorText } from './common/columns.ts';
import { checkPortReference } from './common/container-validation.ts';
import { Faults } from './common/faults.ts';
import { cidrFault } from './common/ip.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

export const networkPolicy = defineResource<Loose<NetworkPolicy>>({
  group: 'networking.k8s.io', version: 'v1', kind: 'NetworkPolicy', plural: 'networkpolicies', singular: 'networkpolicy', shortNames: ['netpol'],
  namespaced: true,
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  columns: [nameColumn, rawColumn('Pod-Selector', (object) => selectorText(object.spec?.podSelector)), ageColumn],
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'podSelector', {});
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of rule.ports ?? []) setDefault(port, 'protocol', 'TCP');
    if ((spec.policyTypes ?? []).length === 0) spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  validate: ({ spec = {} }) => {
    const faults = new Faults();
    checkSelector(faults, 'spec.podSelector', spec.podSelector);
    spec.policyTypes?.forEach((type, index) => faults.oneOf(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']));
    spec.ingress?.forEach((rule, index) => {
      checkPorts(faults, `spec.ingress[${index}].ports`, rule.ports ?? []);
      rule.from?.forEach((peer, peerIndex) => checkPeer(faults, `spec.ingress[${index}].from[${peerIndex}]`, peer));
    });
    spec.egress?.forEach((rule, index) => {
      checkPorts(faults, `spec.egress[${index}].ports`, rule.ports ?? []);
      rule.to?.forEach((peer, peerIndex) => checkPeer(faults, `spec.egress[${index}].to[${peerIndex}]`, peer));
    });
    return faults.list;
  },
});

function checkPorts(faults: Faults, path: string, ports: readonly Loose<NetworkPolicyPort>[]): void {
  ports.forEach((port, index) => {
    const at = `${path}[${index}]`;
    faults.oneOf(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
    if (port.port !== undefined) checkPortReference(faults, `${at}.port`, port.port);
    if (port.endPort === undefined) return;
    if (port.port === undefined) faults.add(required(`${at}.port`, 'must be specified when `endPort` is specified'));
    else if (typeof port.port === 'string') faults.add(invalid(`${at}.endPort`, port.endPort, 'must be specified only when `port` is a number'));
    else if (port.endPort < port.port || port.endPort > 65_535) faults.add(invalid(`${at}.endPort`, port.endPort, 'must be greater than or equal to `port`'));
  });
}

function checkPeer(faults: Faults, path: string, peer: Loose<NetworkPolicyPeer>): void {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (ipBlock === undefined && podSelector === undefined && namespaceSelector === undefined) faults.add(required(path, 'must specify a peer'));
  if (ipBlock !== undefined && (podSelector !== undefined || namespaceSelector !== undefined)) faults.add(forbidden(path, 'may not specify both ipBlock and another peer'));
  checkSelector(faults, `${path}.podSelector`, podSelector);
  checkSelector(faults, `${path}.namespaceSelector`, namespaceSelector);
  if (ipBlock === undefined) return;
  if (ipBlock.cidr === undefined || ipBlock.cidr === '') faults.add(required(`${path}.ipBlock.cidr`));
  for (const [field, cidr] of [['cidr', ipBlock.cidr], ...(ipBlock.except ?? []).map((except, index) => [`except[${index}]`, except])] as [string, string | undefined][]) {
    const fault = cidr === undefined || cidr === '' ? undefined : cidrFault(cidr);
    if (fault !== undefined) faults.add(invalid(`${path}.ipBlock.${field}`, cidr, fault));
  }
}
