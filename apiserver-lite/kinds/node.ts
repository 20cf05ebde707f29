import type { Node } from 'kubernetes-types/core/v1.js';
import { labelValueFaults, qualifiedNameFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import type { ValidationContext } from '../registry/definition.ts';
import { forbidden, invalid, invalidEach, notSupported } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults, sameJson } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { cidrFault } from './common/ip.ts';

type LooseNode = Loose<Node>;
const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const node = defineResource<LooseNode>({
  group: '', version: 'v1', kind: 'Node', plural: 'nodes', singular: 'node', shortNames: ['no'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.Node',
  subresources: { status: true, others: [{ name: 'proxy', kind: 'NodeProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] }] },
  columns: [
    nameColumn,
    rawColumn('Status', nodeStatus),
    textColumn('Roles', roles),
    ageColumn,
    rawColumn('Version', (object) => object.status?.nodeInfo?.kubeletVersion ?? ''),
    textColumn('Internal-IP', (object) => address(object, 'InternalIP'), 1),
    textColumn('External-IP', (object) => address(object, 'ExternalIP'), 1),
    rawColumn('OS-Image', (object) => known(object.status?.nodeInfo?.osImage), 1),
    rawColumn('Kernel-Version', (object) => known(object.status?.nodeInfo?.kernelVersion), 1),
    rawColumn('Container-Runtime', (object) => known(object.status?.nodeInfo?.containerRuntimeVersion), 1),
  ],
  selectableFields: { 'spec.unschedulable': (object) => String(object.spec?.unschedulable ?? false) },
  hasGeneration: false,
  defaults: (object) => {
    object.spec ??= {};
    if (object.status?.capacity !== undefined && object.status.allocatable === undefined) object.status.allocatable = { ...object.status.capacity };
  },
  validate: validateNode,
});

function nodeStatus(object: LooseNode): string {
  const ready = object.status?.conditions?.find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (object.spec?.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function roles(object: LooseNode): string {
  const found = new Set<string>();
  for (const [label, value] of Object.entries(object.metadata?.labels ?? {})) {
    if (label.startsWith(ROLE_PREFIX) && label !== ROLE_PREFIX) found.add(label.slice(ROLE_PREFIX.length));
    else if (label === 'kubernetes.io/role' && value !== '') found.add(value ?? '');
  }
  return [...found].sort().join(',');
}

function address(object: LooseNode, type: string): string | undefined {
  return object.status?.addresses?.find((entry) => entry.type === type)?.address;
}

function known(text: string | undefined): string {
  return text === undefined || text === '' ? '<unknown>' : text;
}

function validateNode(object: LooseNode, context: ValidationContext<LooseNode>): FieldError[] {
  const faults = new Faults();
  const taints = object.spec?.taints ?? [];
  taints.forEach((taint, index) => {
    const at = `metadata.taints[${index}]`;
    faults.name(`${at}.key`, taint.key, qualifiedNameFaults);
    faults.add(...invalidEach(`${at}.value`, taint.value, labelValueFaults(taint.value ?? '')));
    const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
    if (taint.effect === undefined || taint.effect === '') faults.add({ type: 'Required', field: `${at}.effect`, detail: '' });
    else if (!effects.includes(taint.effect)) faults.add(notSupported(`${at}.effect`, taint.effect, effects));
  });
  faults.unique((index) => `metadata.taints[${index}]`, taints, (taint) => `${taint.key ?? ''}:${taint.effect ?? ''}`);
  const podCIDRs = object.spec?.podCIDRs ?? (object.spec?.podCIDR === undefined ? [] : [object.spec.podCIDR]);
  podCIDRs.forEach((cidr, index) => {
    const fault = cidrFault(cidr);
    if (fault !== undefined) faults.add(invalid(`spec.podCIDRs[${index}]`, cidr, fault));
  });
  if (podCIDRs.length > 2) faults.add(invalid('spec.podCIDRs', podCIDRs, 'may specify no more than one CIDR for each IP family'));
  if (context.operation === 'update') {
    const before = context.old?.spec?.podCIDRs ?? [];
    if (before.length > 0 && !sameJson(before, podCIDRs)) faults.add(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
    const oldProvider = context.old?.spec?.providerID ?? '';
    if (oldProvider !== '' && oldProvider !== object.spec?.providerID) faults.add(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  return faults.list;
}
