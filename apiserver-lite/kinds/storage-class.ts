import type { StorageClass } from 'kubernetes-types/storage/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden } from '../registry/field-error.ts';
import { ageColumn, rawColumn } from './common/columns.ts';
import { Faults, sameJson } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

type LooseClass = Loose<StorageClass>;
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

export const storageClass = defineResource<LooseClass>({
  group: 'storage.k8s.io', version: 'v1', kind: 'StorageClass', plural: 'storageclasses', singular: 'storageclass', shortNames: ['sc'],
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.StorageClass',
  columns: [
    { name: 'Name', type: 'string', format: 'name', cell: ({ metadata }) => `${metadata?.name ?? ''}${metadata?.annotations?.[DEFAULT_CLASS] === 'true' ? ' (default)' : ''}` },
    rawColumn('Provisioner', (object) => object.provisioner ?? ''),
    rawColumn('ReclaimPolicy', (object) => object.reclaimPolicy ?? ''),
    rawColumn('VolumeBindingMode', (object) => object.volumeBindingMode ?? ''),
    rawColumn('AllowVolumeExpansion', (object) => String(object.allowVolumeExpansion ?? false)),
    ageColumn,
  ],
  hasGeneration: false,
  defaults: (object) => {
    setDefault(object, 'reclaimPolicy', 'Delete');
    setDefault(object, 'volumeBindingMode', 'Immediate');
  },
  validate: (object, { old }) => {
    const faults = new Faults();
    faults.required('provisioner', object.provisioner);
    faults.oneOf('reclaimPolicy', object.reclaimPolicy, ['Delete', 'Retain']);
    faults.oneOf('volumeBindingMode', object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']);
    if (old === undefined) return faults.list;
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
      if (!sameJson(object[field], old[field])) faults.add(forbidden(field, `updates to ${field} are forbidden.`));
    }
    faults.immutable('volumeBindingMode', object.volumeBindingMode, old.volumeBindingMode);
    return faults.list;
  },
});
