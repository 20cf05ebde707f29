import type { User } from '../rest/context.ts';

/** What somebody wants to do: with a resource, or with a path that is none (`/metrics`). */
export type Attributes = Readonly<{
  verb: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  path?: string;
}>;

export type Verdict = Readonly<{ allowed: boolean; reason: string }>;
export type Authorizer = (user: User, attributes: Attributes) => Verdict;

export const alwaysAllow: Authorizer = () => ({ allowed: true, reason: '' });

/** `User "jane" cannot list resource "pods" in API group "" in the namespace "default"` */
export function refusalText(user: User, { verb, group = '', resource, subresource, namespace, path = '' }: Attributes): string {
  if (resource === undefined) return `User "${user.name}" cannot ${verb} path "${path}"`;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return `User "${user.name}" cannot ${verb} resource "${full}" in API group "${group}" ${where}`;
}
