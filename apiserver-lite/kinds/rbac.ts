import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from 'kubernetes-types/rbac/v1.js';
import { dnsSubdomainFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import { invalid, notSupported, required } from '../registry/field-error.ts';
import { ageColumn, createdAtColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

/** The four kinds of RBAC: rules and bindings, each per namespace and for the cluster. */
const GROUP = 'rbac.authorization.k8s.io';
type AnyRole = Loose<Role> & Pick<Loose<ClusterRole>, 'aggregationRule'>;
type AnyBinding = Loose<RoleBinding> | Loose<ClusterRoleBinding>;

function roleKind(kind: 'Role' | 'ClusterRole', namespaced: boolean): ResourceDefinition {
  return defineResource<AnyRole>({
    group: GROUP, version: 'v1', kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(),
    namespaced,
    schema: `io.k8s.api.rbac.v1.${kind}`,
    columns: [nameColumn, createdAtColumn],
    nameRule: 'path-segment',
    hasGeneration: false,
    validate: (object) => {
      const faults = new Faults();
      object.rules?.forEach((rule, index) => checkRule(faults, `rules[${index}]`, rule, namespaced));
      return faults.list;
    },
  });
}

function checkRule(faults: Faults, path: string, rule: Loose<PolicyRule>, namespaced: boolean): void {
  if ((rule.verbs ?? []).length === 0) faults.add(required(`${path}.verbs`, 'verbs must contain at least one value'));
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length > 0) {
    if (namespaced) faults.add(invalid(`${path}.nonResourceURLs`, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if ((rule.apiGroups ?? []).length + (rule.resources ?? []).length + (rule.resourceNames ?? []).length > 0) {
      faults.add(invalid(`${path}.nonResourceURLs`, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return;
  }
  if ((rule.apiGroups ?? []).length === 0) faults.add(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if ((rule.resources ?? []).length === 0) faults.add(required(`${path}.resources`, 'resource rules must supply at least one resource'));
}

function bindingKind(kind: 'RoleBinding' | 'ClusterRoleBinding', namespaced: boolean): ResourceDefinition {
  return defineResource<AnyBinding>({
    group: GROUP, version: 'v1', kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(),
    namespaced,
    schema: `io.k8s.api.rbac.v1.${kind}`,
    columns: [
      nameColumn,
      rawColumn('Role', (object) => `${object.roleRef?.kind ?? ''}/${object.roleRef?.name ?? ''}`),
      ageColumn,
      rawColumn('Users', (object) => subjects(object, 'User'), 1),
      rawColumn('Groups', (object) => subjects(object, 'Group'), 1),
      rawColumn('ServiceAccounts', (object) => subjects(object, 'ServiceAccount'), 1),
    ],
    nameRule: 'path-segment',
    hasGeneration: false,
    defaults: (object) => {
      if (object.roleRef !== undefined && (object.roleRef.apiGroup ?? '') === '') object.roleRef.apiGroup = GROUP;
      for (const subject of object.subjects ?? []) {
        if (subject.kind !== 'ServiceAccount' && (subject.apiGroup ?? '') === '') subject.apiGroup = GROUP;
      }
    },
    validate: (object, { old }) => {
      const faults = new Faults();
      const { roleRef } = object;
      const kinds = namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole'];
      if (roleRef?.apiGroup !== GROUP) faults.add(notSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', [GROUP]));
      if (!kinds.includes(roleRef?.kind ?? '')) faults.add(notSupported('roleRef.kind', roleRef?.kind ?? '', kinds));
      faults.required('roleRef.name', roleRef?.name);
      object.subjects?.forEach((subject, index) => checkSubject(faults, `subjects[${index}]`, subject));
      if (old !== undefined && JSON.stringify(old.roleRef) !== JSON.stringify(roleRef)) faults.add(invalid('roleRef', roleRef, 'cannot change roleRef'));
      return faults.list;
    },
  });
}

function checkSubject(faults: Faults, path: string, subject: Loose<Subject>): void {
  faults.required(`${path}.name`, subject.name);
  switch (subject.kind) {
    case 'ServiceAccount':
      if (subject.name !== undefined && subject.name !== '') faults.name(`${path}.name`, subject.name, dnsSubdomainFaults);
      if ((subject.apiGroup ?? '') !== '') faults.add(notSupported(`${path}.apiGroup`, subject.apiGroup, ['']));
      faults.required(`${path}.namespace`, subject.namespace);
      break;
    case 'User':
    case 'Group':
      if (subject.apiGroup !== GROUP) faults.add(notSupported(`${path}.apiGroup`, subject.apiGroup, [GROUP]));
      break;
    default:
      faults.add(notSupported(`${path}.kind`, subject.kind ?? '', ['Group', 'ServiceAccount', 'User']));
  }
}

function subjects(object: AnyBinding, kind: string): string {
  return (object.subjects ?? []).filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name ?? ''}` : subject.name ?? '')).join(', ');
}

export const role = roleKind('Role', true);
export const clusterRole = roleKind('ClusterRole', false);
export const roleBinding = bindingKind('RoleBinding', true);
export const clusterRoleBinding = bindingKind('ClusterRoleBinding', false);
