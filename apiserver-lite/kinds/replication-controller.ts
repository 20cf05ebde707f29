import type { ReplicationController } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { invalid, required } from '../registry/field-error.ts';
import { ageColumn, containersColumn, imagesColumn, labelsText, nameColumn, numberColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { selectorMatches } from './common/labels.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

export const replicationController = defineResource<Loose<ReplicationController>>({
  group: '', version: 'v1', kind: 'ReplicationController', plural: 'replicationcontrollers', singular: 'replicationcontroller', shortNames: ['rc'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ReplicationController',
  subresources: { status: true, scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', labelSelector: '.spec.selector' } },
  columns: [
    nameColumn,
    numberColumn('Desired', (object) => object.spec?.replicas),
    numberColumn('Current', (object) => object.status?.replicas),
    numberColumn('Ready', (object) => object.status?.readyReplicas),
    ageColumn, containersColumn, imagesColumn,
    rawColumn('Selector', (object) => labelsText(object.spec?.selector), 1),
  ],
  defaults: (object) => {
    const { spec } = object;
    if (spec === undefined) return;
    const labels = spec.template?.metadata?.labels;
    // The oldest workload: selector and labels follow from the template.
    if (labels !== undefined && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (labels !== undefined && object.metadata !== undefined && Object.keys(object.metadata.labels ?? {}).length === 0) object.metadata.labels = { ...labels };
    setDefault(spec, 'replicas', 1);
    defaultPodTemplate(spec.template);
  },
  prepareCreate: (object) => {
    object.status = { replicas: 0 };
  },
  validate: (object, { subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    const { replicas, selector = {}, template, minReadySeconds } = object.spec ?? {};
    faults.nonNegative('spec.replicas', replicas);
    faults.nonNegative('spec.minReadySeconds', minReadySeconds);
    const labels = template?.metadata?.labels ?? {};
    if (Object.keys(selector).length === 0) faults.add(required('spec.selector'));
    else if (!selectorMatches({ matchLabels: selector }, labels)) faults.add(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
    checkPodTemplate(faults, 'spec.template', template, ['Always']);
    return faults.list;
  },
});
