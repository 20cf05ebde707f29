import type { ControllerRevision } from 'kubernetes-types/apps/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, numberColumn, textColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

export const controllerRevision = defineResource<Loose<ControllerRevision>>({
  group: 'apps', version: 'v1', kind: 'ControllerRevision', plural: 'controllerrevisions', singular: 'controllerrevision',
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [nameColumn, textColumn('Controller', controller), numberColumn('Revision', (object) => object.revision), ageColumn],
  hasGeneration: false,
  validate: (object, { old }) => {
    const faults = new Faults();
    faults.nonNegative('revision', object.revision);
    if (old !== undefined) faults.immutable('data', object.data, old.data);
    return faults.list;
  },
});

function controller(object: Loose<ControllerRevision>): string | undefined {
  const owner = object.metadata?.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return undefined;
  const group = owner.apiVersion?.includes('/') === true ? `.${owner.apiVersion.split('/')[0] ?? ''}` : '';
  return `${(owner.kind ?? '').toLowerCase()}${group}/${owner.name ?? ''}`;
}
