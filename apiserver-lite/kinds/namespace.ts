import type { Namespace } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import type { Loose } from './common/loose.ts';

export const namespace = defineResource<Loose<Namespace>>({
  group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', singular: 'namespace', shortNames: ['ns'],
  namespaced: false,
  schema: 'io.k8s.api.core.v1.Namespace',
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: { status: true, others: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }] },
  columns: [nameColumn, rawColumn('Status', (object) => object.status?.phase ?? ''), ageColumn],
  selectableFields: { 'status.phase': (object) => object.status?.phase ?? '' },
  nameRule: 'dns-label',
  hasGeneration: false,
  defaults: (object) => {
    // Lets namespaceSelectors pick a namespace by its name.
    if (object.metadata?.name !== undefined) (object.metadata.labels ??= {})['kubernetes.io/metadata.name'] = object.metadata.name;
  },
  prepareCreate: (object) => {
    object.spec = { finalizers: [...new Set([...(object.spec?.finalizers ?? []), 'kubernetes'])] };
    object.status = { phase: 'Active' };
  },
  prepareUpdate: (object, old) => {
    // Only the finalize subresource changes them.
    object.spec = old.spec ?? {};
  },
});
