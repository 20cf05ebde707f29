import type { PersistentVolume } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults, sameJson } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { checkQuantities } from './common/resources-validation.ts';
import { ACCESS_MODES, accessModesText } from './common/access-modes.ts';

export const persistentVolume = defineResource<Loose<PersistentVolume>>({
  group: '', version: 'v1', kind: 'PersistentVolume', plural: 'persistentvolumes', singular: 'persistentvolume', shortNames: ['pv'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Capacity', ({ spec }) => spec?.capacity?.['storage'] ?? ''),
    rawColumn('Access Modes', ({ spec }) => accessModesText(spec?.accessModes)),
    rawColumn('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
    rawColumn('Status', ({ metadata, status }) => (metadata?.deletionTimestamp === undefined ? status?.phase ?? '' : 'Terminating')),
    rawColumn('Claim', ({ spec }) => (spec?.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`)),
    rawColumn('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    rawColumn('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    rawColumn('Reason', ({ status }) => status?.reason ?? ''),
    ageColumn,
    textColumn('VolumeMode', ({ spec }) => spec?.volumeMode, 1),
  ],
  hasGeneration: false,
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setDefault(spec, 'volumeMode', 'Filesystem');
    if (spec.hostPath !== undefined) setDefault(spec.hostPath, 'type', '');
  },
  prepareCreate: (object) => {
    object.status = { phase: 'Pending' };
  },
  validate: ({ spec = {} }, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    if ((spec.accessModes ?? []).length === 0) faults.add(required('spec.accessModes'));
    spec.accessModes?.forEach((mode, index) => faults.oneOf(`spec.accessModes[${index}]`, mode, ACCESS_MODES));
    if (spec.capacity?.['storage'] === undefined) faults.add(required('spec.capacity'));
    checkQuantities(faults, 'spec.capacity', spec.capacity);
    faults.oneOf('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain']);
    faults.oneOf('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']);
    if (sourceOf(spec).length === 0) faults.add(required('spec', 'must specify a volume type'));
    if (sourceOf(spec).length > 1) faults.add(forbidden('spec', 'may not specify more than 1 volume type'));
    if (old !== undefined && !sameJson(sources(spec), sources(old.spec ?? {}))) faults.add(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
    return faults.list;
  },
});

const NOT_SOURCES = new Set(['accessModes', 'capacity', 'claimRef', 'mountOptions', 'nodeAffinity', 'persistentVolumeReclaimPolicy', 'storageClassName', 'volumeAttributesClassName', 'volumeMode']);

function sourceOf(spec: object): string[] {
  return Object.keys(spec).filter((key) => !NOT_SOURCES.has(key));
}

function sources(spec: object): object {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !NOT_SOURCES.has(key)));
}
