import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import { ageColumn, nameColumn } from './common/columns.ts';
import { checkDataKeys, checkDataUpdate, dataSizeFault } from './common/data-keys.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

export const configMap = defineResource<Loose<ConfigMap>>({
  group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', singular: 'configmap', shortNames: ['cm'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ConfigMap',
  columns: [
    nameColumn,
    { name: 'Data', type: 'string', cell: (object) => count(object.data) + count(object.binaryData) },
    ageColumn,
  ],
  hasGeneration: false,
  validate: (object, { old }) => {
    const faults = new Faults();
    checkDataKeys(faults, 'data', object.data);
    checkDataKeys(faults, 'binaryData', object.binaryData);
    for (const key of Object.keys(object.data ?? {})) {
      if (object.binaryData !== undefined && key in object.binaryData) faults.add(invalid(`data[${key}]`, key, `duplicate of key present in binaryData`));
    }
    faults.add(...dataSizeFault('', [object.data, object.binaryData]));
    checkDataUpdate(faults, object, old, ['data', 'binaryData']);
    return faults.list;
  },
});

function count(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}
