import type { Affinity, NodeSelectorTerm, PodAffinityTerm, TopologySpreadConstraint } from 'kubernetes-types/core/v1.js';
import { qualifiedNameFaults } from '../../conventions/names.ts';
import { invalid, notSupported, required } from '../../registry/field-error.ts';
import type { Faults } from './faults.ts';
import { checkSelector } from './labels.ts';
import type { Loose } from './loose.ts';

export function checkAffinity(faults: Faults, path: string, affinity: Loose<Affinity> | undefined): void {
  const node = affinity?.nodeAffinity;
  const nodeRequired = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
  const terms = node?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (node?.requiredDuringSchedulingIgnoredDuringExecution !== undefined && (terms ?? []).length === 0) {
    faults.add(required(`${nodeRequired}.nodeSelectorTerms`, 'must have at least one node selector term'));
  }
  terms?.forEach((term, index) => checkNodeTerm(faults, `${nodeRequired}.nodeSelectorTerms[${index}]`, term));
  node?.preferredDuringSchedulingIgnoredDuringExecution?.forEach((preferred, index) => {
    const at = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    checkWeight(faults, `${at}.weight`, preferred.weight);
    if (preferred.preference !== undefined) checkNodeTerm(faults, `${at}.preference`, preferred.preference);
  });
  for (const key of ['podAffinity', 'podAntiAffinity'] as const) {
    affinity?.[key]?.requiredDuringSchedulingIgnoredDuringExecution?.forEach((term, index) => {
      checkPodTerm(faults, `${path}.${key}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term);
    });
    affinity?.[key]?.preferredDuringSchedulingIgnoredDuringExecution?.forEach((preferred, index) => {
      const at = `${path}.${key}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      checkWeight(faults, `${at}.weight`, preferred.weight);
      checkPodTerm(faults, `${at}.podAffinityTerm`, preferred.podAffinityTerm ?? {});
    });
  }
}

function checkWeight(faults: Faults, field: string, weight: number | undefined): void {
  if (weight === undefined || weight < 1 || weight > 100) faults.add(invalid(field, weight ?? 0, 'must be in the range 1-100'));
}

function checkPodTerm(faults: Faults, path: string, term: Loose<PodAffinityTerm>): void {
  if (term.topologyKey === undefined || term.topologyKey === '') faults.add(required(`${path}.topologyKey`, 'can not be empty'));
  else faults.name(`${path}.topologyKey`, term.topologyKey, qualifiedNameFaults);
  checkSelector(faults, `${path}.labelSelector`, term.labelSelector);
  checkSelector(faults, `${path}.namespaceSelector`, term.namespaceSelector);
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];

function checkNodeTerm(faults: Faults, path: string, term: Loose<NodeSelectorTerm>): void {
  for (const list of ['matchExpressions', 'matchFields'] as const) {
    term[list]?.forEach(({ key, operator, values = [] }, index) => {
      const at = `${path}.${list}[${index}]`;
      if (list === 'matchExpressions') faults.name(`${at}.key`, key, qualifiedNameFaults);
      if (operator === undefined || !OPERATORS.includes(operator)) faults.add(invalid(`${at}.operator`, operator ?? '', 'not a valid selector operator'));
      else if ((operator === 'In' || operator === 'NotIn') && values.length === 0) faults.add(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) faults.add(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) faults.add({ type: 'Forbidden', field: `${at}.values`, detail: "may not be specified when `operator` is 'Exists' or 'DoesNotExist'" });
    });
  }
}

export function checkTopologySpread(faults: Faults, path: string, constraints: readonly Loose<TopologySpreadConstraint>[]): void {
  constraints.forEach((constraint, index) => {
    const at = `${path}[${index}]`;
    faults.positive(`${at}.maxSkew`, constraint.maxSkew ?? 0);
    faults.required(`${at}.topologyKey`, constraint.topologyKey, 'can not be empty');
    const supported = ['DoNotSchedule', 'ScheduleAnyway'];
    if (constraint.whenUnsatisfiable === undefined) faults.add(notSupported(`${at}.whenUnsatisfiable`, '', supported));
    else faults.oneOf(`${at}.whenUnsatisfiable`, constraint.whenUnsatisfiable, supported);
    checkSelector(faults, `${at}.labelSelector`, constraint.labelSelector);
  });
}
