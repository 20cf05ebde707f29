import type { CSINode } from 'kubernetes-types/storage/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, numberColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

export const csiNode = defineResource<Loose<CSINode>>({
  group: 'storage.k8s.io', version: 'v1', kind: 'CSINode', plural: 'csinodes', singular: 'csinode',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.CSINode',
  columns: [nameColumn, numberColumn('Drivers', (object) => (object.spec?.drivers ?? []).length), ageColumn],
  hasGeneration: false,
  validate: ({ spec }) => {
    const faults = new Faults();
    const drivers = spec?.drivers ?? [];
    faults.unique((index) => `spec.drivers[${index}].name`, drivers, (driver) => driver.name);
    drivers.forEach((driver, index) => {
      faults.required(`spec.drivers[${index}].name`, driver.name);
      faults.required(`spec.drivers[${index}].nodeID`, driver.nodeID);
    });
    return faults.list;
  },
});
