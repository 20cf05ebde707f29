import type { Job, JobSpec } from 'kubernetes-types/batch/v1.js';
import { humanDuration } from '../conventions/age.ts';
import { defineResource } from '../registry/definition.ts';
import { forbidden, invalid, required } from '../registry/field-error.ts';
import { ageColumn, containersColumn, imagesColumn, nameColumn, rawColumn, selectorColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

type LooseJob = Loose<Job>;
export type LooseJobSpec = Loose<JobSpec>;

export const job = defineResource<LooseJob>({
  group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', singular: 'job', categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.batch.v1.Job',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Status', jobStatus),
    rawColumn('Completions', completions),
    rawColumn('Duration', duration),
    ageColumn, containersColumn, imagesColumn, selectorColumn,
  ],
  selectableFields: { 'status.successful': (object) => String(object.status?.succeeded ?? 0) },
  defaults: ({ spec }) => {
    if (spec !== undefined) defaultJobSpec(spec);
  },
  prepareCreate: (object) => {
    object.status = {};
    if (object.spec?.manualSelector !== true) generateSelector(object);
  },
  validate: (object, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    checkJobSpec(faults, 'spec', object.spec ?? {});
    if (object.spec?.selector === undefined) faults.add(required('spec.selector'));
    if (old !== undefined) {
      faults.immutable('spec.completionMode', object.spec?.completionMode, old.spec?.completionMode);
      faults.immutable('spec.selector', object.spec?.selector, old.spec?.selector);
      if (old.spec?.suspend !== true) faults.immutable('spec.template', object.spec?.template, old.spec?.template);
      if (object.spec?.completionMode !== 'Indexed') faults.immutable('spec.completions', object.spec?.completions, old.spec?.completions);
    }
    return faults.list;
  },
});

export function defaultJobSpec(spec: LooseJobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  setDefault(spec, 'parallelism', 1);
  setDefault(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647);
  setDefault(spec, 'completionMode', 'NonIndexed');
  setDefault(spec, 'suspend', false);
  setDefault(spec, 'manualSelector', false);
  setDefault(spec, 'podReplacementPolicy', spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed');
  defaultPodTemplate(spec.template);
}

/** A Job finds its pods by its own uid, so that two Jobs of one name, one after the other, never share pods. */
function generateSelector(object: LooseJob): void {
  const { uid = '', name = '' } = object.metadata ?? {};
  const template = object.spec?.template;
  if (object.spec === undefined || template === undefined) return;
  const labels: Record<string, string | undefined> = ((template.metadata ??= {}).labels ??= {});
  Object.assign(labels, { 'controller-uid': uid, 'job-name': name, 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name });
  object.spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
}

export function checkJobSpec(faults: Faults, path: string, spec: LooseJobSpec): void {
  for (const key of ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished', 'backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
    faults.nonNegative(`${path}.${key}`, spec[key]);
  }
  faults.oneOf(`${path}.completionMode`, spec.completionMode, ['Indexed', 'NonIndexed']);
  if (spec.completionMode === 'Indexed' && spec.completions === undefined) faults.add(required(`${path}.completions`, 'when completion mode is Indexed'));
  if (spec.backoffLimitPerIndex !== undefined && spec.completionMode !== 'Indexed') faults.add(invalid(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, 'requires indexed completion mode'));
  checkPodTemplate(faults, `${path}.template`, spec.template, ['OnFailure', 'Never']);
  if (spec.podFailurePolicy !== undefined && spec.template?.spec?.restartPolicy !== 'Never') {
    faults.add(forbidden(`${path}.podFailurePolicy`, 'only "Never" is supported as restartPolicy when podFailurePolicy is specified'));
  }
}

function jobStatus(object: LooseJob): string {
  const has = (type: string): boolean => object.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (object.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  if (has('FailureTarget')) return 'FailureTarget';
  if (has('SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

function completions(object: LooseJob): string {
  const done = object.status?.succeeded ?? 0;
  if (object.spec?.completions !== undefined) return `${done}/${object.spec.completions}`;
  const parallelism = object.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function duration(object: LooseJob, nowMs: number): string {
  const start = Date.parse(object.status?.startTime ?? '');
  if (Number.isNaN(start)) return '';
  const end = Date.parse(object.status?.completionTime ?? '');
  return humanDuration((Number.isNaN(end) ? nowMs : end) - start);
}
