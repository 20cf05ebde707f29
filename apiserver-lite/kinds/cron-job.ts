import type { CronJob } from 'kubernetes-types/batch/v1.js';
import { ageSince } from '../conventions/age.ts';
import { defineResource } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import { ageColumn, nameColumn, numberColumn, rawColumn, selectorText, textColumn } from './common/columns.ts';
import { cronFault } from './common/cron.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkJobSpec } from './job.ts';

type LooseCronJob = Loose<CronJob>;

export const cronJob = defineResource<LooseCronJob>({
  group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', singular: 'cronjob', shortNames: ['cj'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.batch.v1.CronJob',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Schedule', (object) => object.spec?.schedule ?? ''),
    textColumn('Timezone', (object) => object.spec?.timeZone),
    rawColumn('Suspend', (object) => (object.spec?.suspend === true ? 'True' : 'False')),
    numberColumn('Active', (object) => (object.status?.active ?? []).length),
    rawColumn('Last Schedule', (object, nowMs) => (object.status?.lastScheduleTime === undefined ? '<none>' : ageSince(object.status.lastScheduleTime, nowMs))),
    ageColumn,
    rawColumn('Containers', (object) => containers(object, 'name'), 1),
    rawColumn('Images', (object) => containers(object, 'image'), 1),
    rawColumn('Selector', (object) => selectorText(object.spec?.jobTemplate?.spec?.selector), 1),
  ],
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
    defaultPodTemplate(spec.jobTemplate?.spec?.template);
  },
  validate: (object, { subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    const spec = object.spec ?? {};
    faults.required('spec.schedule', spec.schedule);
    const fault = spec.schedule === undefined || spec.schedule === '' ? undefined : cronFault(spec.schedule);
    if (fault !== undefined) faults.add(invalid('spec.schedule', spec.schedule, fault));
    if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) faults.add(invalid('spec.timeZone', spec.timeZone, `unknown time zone ${spec.timeZone}`));
    faults.oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
    for (const key of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const) faults.nonNegative(`spec.${key}`, spec[key]);
    if ((object.metadata?.name ?? '').length > 52) faults.add(invalid('metadata.name', object.metadata?.name, 'must be no more than 52 characters'));
    checkJobSpec(faults, 'spec.jobTemplate.spec', spec.jobTemplate?.spec ?? {});
    return faults.list;
  },
});

function containers(object: LooseCronJob, key: 'name' | 'image'): string {
  return (object.spec?.jobTemplate?.spec?.template?.spec?.containers ?? []).map((container) => container[key] ?? '').join(',');
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
