import { defineResource } from '../registry/definition.ts';
import type { ResourceDefinition } from '../registry/definition.ts';

const review = (group: string, kind: string, namespaced = false): ResourceDefinition => defineResource({
  group, version: 'v1', kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), namespaced, verbs: ['create'],
  schema: `io.k8s.api.${group.split('.')[0] ?? ''}.v1.${kind}`,
});

/** Questions, not objects: POST one and the answer is in its status. Nothing is stored. */
export const reviewDefinitions: readonly ResourceDefinition[] = [
  review('authentication.k8s.io', 'TokenReview'),
  review('authentication.k8s.io', 'SelfSubjectReview'),
  review('authorization.k8s.io', 'SubjectAccessReview'),
  review('authorization.k8s.io', 'SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'SelfSubjectRulesReview'),
  review('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  defineResource({ group: '', version: 'v1', kind: 'Binding', plural: 'bindings', singular: 'binding', namespaced: true, verbs: ['create'], schema: 'io.k8s.api.core.v1.Binding' }),
];
