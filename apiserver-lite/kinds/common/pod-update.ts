import type { Container, Pod, PodSpec, Toleration } from 'kubernetes-types/core/v1.js';
import { forbidden, invalid, required } from '../../registry/field-error.ts';
import { sameJson } from './faults.ts';
import type { Faults } from './faults.ts';
import type { Loose } from './loose.ts';
import { selectorMatches } from './labels.ts';

const ALLOWED = 'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A running pod's spec is fixed, but for a few fields. */
export function checkPodUpdate(faults: Faults, pod: Loose<Pod>, old: Loose<Pod>): void {
  const spec = pod.spec ?? {};
  const oldSpec = old.spec ?? {};
  checkDeadline(faults, spec.activeDeadlineSeconds, oldSpec.activeDeadlineSeconds);
  checkTolerations(faults, spec.tolerations ?? [], oldSpec.tolerations ?? []);
  const before = oldSpec.schedulingGates ?? [];
  const added = (spec.schedulingGates ?? []).find((gate) => !before.some((other) => other.name === gate.name));
  if (added !== undefined) faults.add(forbidden('spec.schedulingGates', 'only deletion is allowed, but found new scheduling gate \'' + (added.name ?? '') + "'"));
  if (!sameJson(fixedPart(spec, oldSpec), fixedPart(oldSpec, oldSpec))) {
    faults.add(forbidden('spec', `${ALLOWED}\n${changedFields(fixedPart(spec, oldSpec), fixedPart(oldSpec, oldSpec))}`));
  }
}

/** The spec with everything that may change replaced by the old value. */
function fixedPart(spec: Loose<PodSpec>, old: Loose<PodSpec>): Loose<PodSpec> {
  const gated = (old.schedulingGates ?? []).length > 0;
  return {
    ...spec,
    containers: withoutImages(spec.containers),
    initContainers: withoutImages(spec.initContainers),
    ephemeralContainers: undefined,
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
    terminationGracePeriodSeconds: (old.terminationGracePeriodSeconds ?? 0) < 0 ? undefined : spec.terminationGracePeriodSeconds,
    nodeSelector: gated ? undefined : spec.nodeSelector,
    affinity: gated ? undefined : spec.affinity,
  };
}

function withoutImages(containers: readonly Loose<Container>[] | undefined): Loose<Container>[] {
  return (containers ?? []).map((container) => ({ ...container, image: undefined }));
}

/** Which fields differ, so that a person need not compare two specs by eye. */
function changedFields(spec: Readonly<Record<string, unknown>>, old: Readonly<Record<string, unknown>>): string {
  const names = [...new Set([...Object.keys(spec), ...Object.keys(old)])].filter((name) => !sameJson(spec[name], old[name]));
  return `changed: ${names.map((name) => `spec.${name}`).join(', ')}`;
}

function checkDeadline(faults: Faults, deadline: number | undefined, old: number | undefined): void {
  if (old === undefined) return;
  if (deadline === undefined) faults.add(invalid('spec.activeDeadlineSeconds', deadline, 'must not update from a positive integer to nil value'));
  else if (deadline > old) faults.add(invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value'));
}

function checkTolerations(faults: Faults, tolerations: readonly Loose<Toleration>[], old: readonly Loose<Toleration>[]): void {
  const kept = ({ key, operator, value, effect }: Loose<Toleration>): string => [key, operator, value, effect].join('/');
  const now = new Set(tolerations.map(kept));
  if (!old.every((toleration) => now.has(kept(toleration)))) faults.add(forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
}

/** The ephemeralcontainers subresource only adds. */
export function checkEphemeralUpdate(faults: Faults, pod: Loose<Pod>, old: Loose<Pod>): void {
  const list = pod.spec?.ephemeralContainers ?? [];
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const after = list.find((container) => container.name === before.name);
    if (after === undefined) faults.add(forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(before.name)} may not be removed`));
    else if (!sameJson(after, before)) faults.add(forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(before.name)} may not be changed`));
  }
}

type Workload = { spec?: { selector?: Parameters<typeof selectorMatches>[0] | undefined; template?: { metadata?: { labels?: Record<string, string | undefined> | undefined } | undefined } | undefined } | undefined };

/** A workload's selector must find the pods of its own template. */
export function checkSelectorMatchesTemplate(faults: Faults, object: Workload): void {
  const selector = object.spec?.selector;
  if (selector === undefined) {
    faults.add(required('spec.selector'));
    return;
  }
  if (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0) {
    faults.add(invalid('spec.selector', selector, 'empty selector is invalid for this kind'));
    return;
  }
  const labels = object.spec?.template?.metadata?.labels ?? {};
  if (!selectorMatches(selector, labels)) faults.add(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
}
