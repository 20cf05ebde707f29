import type { Pod, Toleration } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import type { ValidationContext } from '../registry/definition.ts';
import type { FieldError } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { defaultPodSpec } from './common/pod-defaults.ts';
import { podSummary } from './common/pod-status.ts';
import { checkEphemeralUpdate, checkPodUpdate } from './common/pod-update.ts';
import { checkPodSpec } from './common/pod-validation.ts';
import { qosClass } from './common/qos.ts';
import { setDefault } from './common/loose.ts';

type LoosePod = Loose<Pod>;
const stream = ['create', 'get'];

export const pod = defineResource<LoosePod>({
  group: '', version: 'v1', kind: 'Pod', plural: 'pods', singular: 'pod', shortNames: ['po'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Pod',
  subresources: {
    status: true,
    others: [
      { name: 'attach', kind: 'PodAttachOptions', verbs: stream },
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'ephemeralcontainers', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
      { name: 'exec', kind: 'PodExecOptions', verbs: stream },
      { name: 'log', kind: 'Pod', verbs: ['get'] },
      { name: 'portforward', kind: 'PodPortForwardOptions', verbs: stream },
      { name: 'proxy', kind: 'PodProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    ],
  },
  columns: [
    nameColumn,
    rawColumn('Ready', (object, nowMs) => podSummary(object, nowMs).ready),
    rawColumn('Status', (object, nowMs) => podSummary(object, nowMs).status),
    rawColumn('Restarts', (object, nowMs) => podSummary(object, nowMs).restarts),
    ageColumn,
    textColumn('IP', (object) => object.status?.podIPs?.[0]?.ip ?? object.status?.podIP, 1),
    textColumn('Node', (object) => object.spec?.nodeName, 1),
    textColumn('Nominated Node', (object) => object.status?.nominatedNodeName, 1),
    textColumn('Readiness Gates', readinessGates, 1),
  ],
  selectableFields: {
    'spec.nodeName': (object) => object.spec?.nodeName ?? '',
    'spec.restartPolicy': (object) => object.spec?.restartPolicy ?? '',
    'spec.schedulerName': (object) => object.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (object) => object.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (object) => String(object.spec?.hostNetwork ?? false),
    'status.phase': (object) => object.status?.phase ?? '',
    'status.podIP': (object) => object.status?.podIP ?? '',
    'status.nominatedNodeName': (object) => object.status?.nominatedNodeName ?? '',
  },
  defaults: (object) => {
    if (object.spec === undefined) return;
    defaultPodSpec(object.spec);
    setDefault(object.spec, 'enableServiceLinks', true);
  },
  prepareCreate: (object) => {
    object.status = { phase: 'Pending', qosClass: qosClass(object.spec ?? {}) };
    if (object.spec === undefined) return;
    setDefault(object.spec, 'serviceAccountName', 'default');
    object.spec.serviceAccount = object.spec.serviceAccountName;
    tolerateLostNodes(object.spec);
    if ((object.spec.schedulingGates ?? []).length > 0) {
      object.status.conditions = [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' }];
    }
  },
  prepareUpdate: (object, old) => {
    if (object.spec === undefined) return;
    // Old clients leave out what admission filled in.
    object.spec.serviceAccountName ??= old.spec?.serviceAccountName;
    object.spec.serviceAccount ??= old.spec?.serviceAccount;
    object.spec.priority ??= old.spec?.priority;
    object.spec.preemptionPolicy ??= old.spec?.preemptionPolicy;
  },
  hasGeneration: false,
  validate: validatePod,
  deletion: (object, requested) => {
    const { phase } = object.status ?? {};
    const ended = phase === 'Succeeded' || phase === 'Failed';
    // Nobody runs a pod without a node: nothing to wait for.
    if ((object.spec?.nodeName ?? '') === '' || ended) return { gracePeriodSeconds: 0 };
    return { gracePeriodSeconds: requested ?? object.spec?.terminationGracePeriodSeconds ?? 30 };
  },
});

function validatePod(object: LoosePod, context: ValidationContext<LoosePod>): FieldError[] {
  const faults = new Faults();
  if (context.subresource === 'status') return faults.list;
  checkPodSpec(faults, 'spec', object.spec);
  if (context.operation === 'create' && (object.spec?.ephemeralContainers ?? []).length > 0) {
    faults.add({ type: 'Forbidden', field: 'spec.ephemeralContainers', detail: 'cannot be set on create' });
  }
  if (context.operation === 'update' && context.old !== undefined) {
    if (context.subresource === 'ephemeralcontainers') checkEphemeralUpdate(faults, object, context.old);
    // The binding subresource is what sets nodeName.
    else if (context.subresource === undefined) checkPodUpdate(faults, object, context.old);
  }
  return faults.list;
}

/** A pod stays five minutes on a node that is not ready or not reachable, unless it says otherwise. */
function tolerateLostNodes(spec: { tolerations?: Loose<Toleration>[] | undefined }): void {
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const covered = (spec.tolerations ?? []).some((toleration) =>
      (toleration.key === key || (toleration.key ?? '') === '') && (toleration.effect === 'NoExecute' || (toleration.effect ?? '') === ''));
    if (!covered) (spec.tolerations ??= []).push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  }
}

function readinessGates(object: LoosePod): string {
  const gates = object.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const good = gates.filter((gate) => object.status?.conditions?.some((condition) => condition.type === gate.conditionType && condition.status === 'True'));
  return `${good.length}/${gates.length}`;
}
