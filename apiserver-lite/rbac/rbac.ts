import type { Attributes, Authorizer } from '../auth/authorize.ts';
import type { ApiObject } from '../registry/definition.ts';
import type { RestContext, User } from '../rest/context.ts';

export type PolicyRule = Readonly<{ verbs?: readonly string[]; apiGroups?: readonly string[]; resources?: readonly string[]; resourceNames?: readonly string[]; nonResourceURLs?: readonly string[] }>;
type Subject = Readonly<{ kind: string; name: string; namespace?: string }>;
type Binding = ApiObject & Readonly<{ subjects?: readonly Subject[]; roleRef?: Readonly<{ kind: string; name: string }> }>;
type Role = ApiObject & Readonly<{ rules?: readonly PolicyRule[] | null; aggregationRule?: { clusterRoleSelectors?: { matchLabels?: Record<string, string> }[] } }>;

const has = (list: readonly string[] | undefined, wanted: string): boolean => list?.some((each) => each === '*' || each === wanted) === true;

/** Whether one rule allows one thing. */
export function ruleAllows(rule: PolicyRule, { verb, group = '', resource, subresource, name, path }: Attributes): boolean {
  if (!has(rule.verbs, verb)) return false;
  if (resource === undefined) return rule.nonResourceURLs?.some((url) => url === '*' || url === path || (url.endsWith('*') && (path ?? '').startsWith(url.slice(0, -1)))) === true;
  if (!has(rule.apiGroups, group)) return false;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const named = has(rule.resources, full) || (subresource !== undefined && rule.resources?.includes(`*/${subresource}`) === true);
  if (!named) return false;
  return (rule.resourceNames ?? []).length === 0 || rule.resourceNames?.includes(name ?? '') === true;
}

function isSubject(user: User, { kind, name, namespace = '' }: Subject): boolean {
  switch (kind) {
    case 'User': return user.name === name;
    case 'Group': return user.groups.includes(name);
    case 'ServiceAccount': return user.name === `system:serviceaccount:${namespace}:${name}`;
    default: return false;
  }
}

const group = 'rbac.authorization.k8s.io';

/** The rules that hold for a user, cluster-wide and, when given, in a namespace. */
export function rulesFor(context: RestContext, user: User, namespace: string | undefined): PolicyRule[] {
  const all = <T extends ApiObject>(resource: string): T[] => context.cache.resource({ group, resource }).all().map(({ object }) => object as T);
  const clusterRoles = all<Role>('clusterroles');
  const roles = namespace === undefined ? [] : all<Role>('roles').filter(({ metadata }) => metadata.namespace === namespace);
  const bindings = [...all<Binding>('clusterrolebindings'), ...(namespace === undefined ? [] : all<Binding>('rolebindings').filter(({ metadata }) => metadata.namespace === namespace))];
  return bindings.filter((binding) => binding.subjects?.some((subject) => isSubject(user, { ...subject, namespace: subject.namespace ?? binding.metadata.namespace ?? '' })) === true).flatMap(({ roleRef }) => {
    const role = (roleRef?.kind === 'Role' ? roles : clusterRoles).find(({ metadata }) => metadata.name === roleRef?.name);
    return role === undefined ? [] : rulesOf(role, clusterRoles);
  });
}

/** A role's own rules and those of the roles it aggregates. */
function rulesOf(role: Role, clusterRoles: readonly Role[]): readonly PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const aggregated = clusterRoles.filter(({ metadata }) => selectors.some(({ matchLabels = {} }) => Object.entries(matchLabels).every(([key, value]) => metadata.labels?.[key] === value)));
  return [...(role.rules ?? []), ...aggregated.flatMap(({ rules }) => rules ?? [])];
}

/** Roles and bindings decide; system:masters may do everything. */
export const rbacAuthorizer = (context: RestContext): Authorizer => (user, attributes) => {
  if (user.groups.includes('system:masters')) return { allowed: true, reason: '' };
  const allowed = rulesFor(context, user, attributes.namespace).some((rule) => ruleAllows(rule, attributes));
  return { allowed, reason: allowed ? 'RBAC: allowed by a role bound to the user or one of its groups' : '' };
};
