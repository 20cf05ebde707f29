import type { PodTemplate } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { labelsText, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { defaultPodTemplate } from './common/pod-defaults.ts';
import { checkPodTemplate } from './common/pod-validation.ts';

export const podTemplate = defineResource<Loose<PodTemplate>>({
  group: '', version: 'v1', kind: 'PodTemplate', plural: 'podtemplates', singular: 'podtemplate',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PodTemplate',
  columns: [
    nameColumn,
    rawColumn('Containers', ({ template }) => (template?.spec?.containers ?? []).map((container) => container.name ?? '').join(',')),
    rawColumn('Images', ({ template }) => (template?.spec?.containers ?? []).map((container) => container.image ?? '').join(',')),
    rawColumn('Pod Labels', ({ template }) => labelsText(template?.metadata?.labels)),
  ],
  hasGeneration: false,
  defaults: ({ template }) => defaultPodTemplate(template),
  validate: ({ template }) => {
    const faults = new Faults();
    checkPodTemplate(faults, 'template', template);
    return faults.list;
  },
});
