import type { RuntimeClass } from 'kubernetes-types/node/v1.js';
import { dnsLabelFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

export const runtimeClass = defineResource<Loose<RuntimeClass>>({
  group: 'node.k8s.io', version: 'v1', kind: 'RuntimeClass', plural: 'runtimeclasses', singular: 'runtimeclass',
  namespaced: false,
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  columns: [nameColumn, rawColumn('Handler', (object) => object.handler ?? ''), ageColumn],
  hasGeneration: false,
  validate: (object, { old }) => {
    const faults = new Faults();
    faults.name('handler', object.handler, dnsLabelFaults);
    if (old !== undefined) faults.immutable('handler', object.handler, old.handler);
    return faults.list;
  },
});
