import type { ServiceAccount } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, nameColumn } from './common/columns.ts';
import type { Loose } from './common/loose.ts';

export const serviceAccount = defineResource<Loose<ServiceAccount>>({
  group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', singular: 'serviceaccount', shortNames: ['sa'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  subresources: { others: [{ name: 'token', kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] }] },
  columns: [nameColumn, { name: 'Secrets', type: 'string', cell: (object) => (object.secrets ?? []).length }, ageColumn],
  hasGeneration: false,
});
