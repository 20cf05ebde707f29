import type { ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, containersColumn, imagesColumn, nameColumn, numberColumn, selectorColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkSelectorMatchesTemplate } from './common/pod-update.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

export const replicaSet = defineResource<Loose<ReplicaSet>>({
  group: 'apps', version: 'v1', kind: 'ReplicaSet', plural: 'replicasets', singular: 'replicaset', shortNames: ['rs'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  subresources: { status: true, scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', labelSelector: '.spec.selector' } },
  columns: [
    nameColumn,
    numberColumn('Desired', (object) => object.spec?.replicas),
    numberColumn('Current', (object) => object.status?.replicas),
    numberColumn('Ready', (object) => object.status?.readyReplicas),
    ageColumn, containersColumn, imagesColumn, selectorColumn,
  ],
  selectableFields: { 'status.replicas': (object) => String(object.status?.replicas ?? 0) },
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'replicas', 1);
    defaultPodTemplate(spec.template);
  },
  prepareCreate: (object) => {
    object.status = { replicas: 0 };
  },
  validate: (object, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    faults.nonNegative('spec.replicas', object.spec?.replicas);
    faults.nonNegative('spec.minReadySeconds', object.spec?.minReadySeconds);
    checkSelector(faults, 'spec.selector', object.spec?.selector);
    checkSelectorMatchesTemplate(faults, object);
    checkPodTemplate(faults, 'spec.template', object.spec?.template, ['Always']);
    if (old !== undefined) faults.immutable('spec.selector', object.spec?.selector, old.spec?.selector);
    return faults.list;
  },
});
