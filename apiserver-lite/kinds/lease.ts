import type { Lease } from 'kubernetes-types/coordination/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

export const lease = defineResource<Loose<Lease>>({
  group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', singular: 'lease',
  namespaced: true,
  schema: 'io.k8s.api.coordination.v1.Lease',
  columns: [nameColumn, rawColumn('Holder', (object) => object.spec?.holderIdentity ?? ''), ageColumn],
  hasGeneration: false,
  validate: ({ spec }) => {
    const faults = new Faults();
    faults.positive('spec.leaseDurationSeconds', spec?.leaseDurationSeconds);
    faults.nonNegative('spec.leaseTransitions', spec?.leaseTransitions);
    return faults.list;
  },
});
