import type { ResourceQuota } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { checkQuantities } from './common/resources-validation.ts';

type Quota = Loose<ResourceQuota>;

export const resourceQuota = defineResource<Quota>({
  group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', singular: 'resourcequota', shortNames: ['quota'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Request', (object) => usage(object, false)),
    rawColumn('Limit', (object) => usage(object, true)),
    ageColumn,
  ],
  hasGeneration: false,
  validate: ({ spec }, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    checkQuantities(faults, 'spec.hard', spec?.hard);
    spec?.scopes?.forEach((scope, index) => faults.oneOf(`spec.scopes[${index}]`, scope, ['BestEffort', 'CrossNamespacePodAffinity', 'NotBestEffort', 'NotTerminating', 'PriorityClass', 'Terminating', 'VolumeAttributesClass']));
    if (old !== undefined) faults.immutable('spec.scopes', spec?.scopes ?? [], old.spec?.scopes ?? []);
    return faults.list;
  },
});

/** `cpu: 1/4, pods: 2/10`, the limits apart from everything else. */
function usage(object: Quota, limits: boolean): string {
  return Object.entries(object.status?.hard ?? object.spec?.hard ?? {})
    .filter(([name]) => name.startsWith('limits.') === limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${object.status?.used?.[name] ?? '0'}/${hard ?? ''}`)
    .join(', ');
}
