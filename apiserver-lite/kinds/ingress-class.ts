import type { IngressClass } from 'kubernetes-types/networking/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

export const ingressClass = defineResource<Loose<IngressClass>>({
  group: 'networking.k8s.io', version: 'v1', kind: 'IngressClass', plural: 'ingressclasses', singular: 'ingressclass',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.IngressClass',
  columns: [
    nameColumn,
    rawColumn('Controller', (object) => object.spec?.controller ?? ''),
    textColumn('Parameters', ({ spec }) => (spec?.parameters === undefined ? undefined
      : [`${spec.parameters.kind ?? ''}${spec.parameters.apiGroup === undefined ? '' : `.${spec.parameters.apiGroup}`}`, spec.parameters.name ?? ''].join('/'))),
    ageColumn,
  ],
  defaults: ({ spec }) => {
    if (spec?.parameters !== undefined) setDefault(spec.parameters, 'scope', 'Cluster');
  },
  validate: ({ spec }, { old }) => {
    const faults = new Faults();
    faults.required('spec.controller', spec?.controller);
    if (old !== undefined) faults.immutable('spec.controller', spec?.controller, old.spec?.controller);
    return faults.list;
  },
});
