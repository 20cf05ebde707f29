import type { PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden, required } from '../registry/field-error.ts';
import { ACCESS_MODES, accessModesText } from './common/access-modes.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults, sameJson } from './common/faults.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { checkQuantities } from './common/resources-validation.ts';

type Claim = Loose<PersistentVolumeClaim>;

export const persistentVolumeClaim = defineResource<Claim>({
  group: '', version: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', singular: 'persistentvolumeclaim', shortNames: ['pvc'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Status', ({ metadata, status }) => (metadata?.deletionTimestamp === undefined ? status?.phase ?? '' : 'Terminating')),
    rawColumn('Volume', ({ spec }) => spec?.volumeName ?? ''),
    rawColumn('Capacity', ({ spec, status }) => ((spec?.volumeName ?? '') === '' ? '' : status?.capacity?.['storage'] ?? '')),
    rawColumn('Access Modes', ({ spec, status }) => ((spec?.volumeName ?? '') === '' ? '' : accessModesText(status?.accessModes))),
    rawColumn('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    rawColumn('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    ageColumn,
    textColumn('VolumeMode', ({ spec }) => spec?.volumeMode, 1),
  ],
  hasGeneration: false,
  defaults: ({ spec }) => {
    if (spec !== undefined) setDefault(spec, 'volumeMode', 'Filesystem');
  },
  prepareCreate: (object) => {
    object.status = { phase: 'Pending' };
  },
  validate: ({ spec = {} }, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    if ((spec.accessModes ?? []).length === 0) faults.add(required('spec.accessModes', 'at least 1 access mode is required'));
    spec.accessModes?.forEach((mode, index) => faults.oneOf(`spec.accessModes[${index}]`, mode, ACCESS_MODES));
    if (spec.resources?.requests?.['storage'] === undefined) faults.add(required('spec.resources[storage]'));
    checkQuantities(faults, 'spec.resources.requests', spec.resources?.requests);
    checkSelector(faults, 'spec.selector', spec.selector);
    faults.oneOf('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']);
    if (old !== undefined && !sameJson(fixedPart(spec, old.spec), fixedPart(old.spec ?? {}, old.spec))) {
      faults.add(forbidden('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'));
    }
    return faults.list;
  },
});

/** The volume's name and, once, a missing class may still be filled in. */
function fixedPart(spec: NonNullable<Claim['spec']>, old: Claim['spec']): object {
  return {
    ...spec,
    resources: undefined,
    volumeAttributesClassName: undefined,
    volumeName: (old?.volumeName ?? '') === '' ? undefined : spec.volumeName,
    storageClassName: old?.storageClassName === undefined ? undefined : spec.storageClassName,
  };
}
