import type { ResourceDefinition } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import { verbsOf } from '../registry/registry.ts';

type GroupVersionKind = Readonly<{ group: string; version: string; kind: string }>;
type Sub = Readonly<{ name: string; kind: GroupVersionKind; verbs: readonly string[] }>;

function subresourcesOf({ group, version, kind, subresources }: ResourceDefinition): Sub[] {
  const subs: Sub[] = [];
  if (subresources?.status === true) subs.push({ name: 'status', kind: { group, version, kind }, verbs: ['get', 'patch', 'update'] });
  if (subresources?.scale !== undefined) subs.push({ name: 'scale', kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get', 'patch', 'update'] });
  for (const extra of subresources?.others ?? []) subs.push({ name: extra.name, kind: { group: extra.group ?? group, version: extra.version ?? version, kind: extra.kind }, verbs: extra.verbs });
  return subs;
}

const inVersion = (registry: Registry, group: string, version: string): ResourceDefinition[] =>
  registry.all().filter((each) => each.group === group && each.version === version).sort((a, b) => (a.plural < b.plural ? -1 : 1));

/** `/api/v1`, `/apis/apps/v1`: undefined when there is no such version. */
export function resourceList(registry: Registry, group: string, version: string): unknown {
  const definitions = inVersion(registry, group, version);
  if (definitions.length === 0) return undefined;
  const resources = definitions.flatMap((definition) => [
    {
      name: definition.plural, singularName: definition.singular, namespaced: definition.namespaced, kind: definition.kind, verbs: verbsOf(definition),
      ...(definition.shortNames && { shortNames: definition.shortNames }), ...(definition.categories && { categories: definition.categories }),
    },
    ...subresourcesOf(definition).map((sub) => ({
      name: `${definition.plural}/${sub.name}`, singularName: '', namespaced: definition.namespaced, kind: sub.kind.kind, verbs: sub.verbs,
      ...((sub.kind.group !== group || sub.kind.version !== version) && { group: sub.kind.group, version: sub.kind.version }),
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group === '' ? version : `${group}/${version}`, resources };
}

const groupOf = (name: string, versions: readonly string[]): object => {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
};

/** `/apis` */
export const groupList = (registry: Registry): unknown => ({
  kind: 'APIGroupList', apiVersion: 'v1',
  groups: [...registry.groups()].filter(([name]) => name !== '').map(([name, versions]) => groupOf(name, versions)),
});

/** `/apis/apps` */
export function oneGroup(registry: Registry, name: string): unknown {
  const versions = registry.groups().get(name);
  return versions === undefined || name === '' ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(name, versions) };
}

/** `/api` */
export const coreVersions = (serverAddress: string): unknown => ({
  kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
});

/** Aggregated discovery: everything below `/api` or `/apis` in one answer. */
export function aggregated(registry: Registry, core: boolean, apiVersion: 'v2' | 'v2beta1'): unknown {
  const items = [...registry.groups()].filter(([name]) => (name === '') === core).map(([name, versions]) => ({
    metadata: { ...(name !== '' && { name }), creationTimestamp: null },
    versions: versions.map((version) => ({ version, freshness: 'Current', resources: inVersion(registry, name, version).map(aggregatedResource) })),
  }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${apiVersion}`, metadata: {}, items };
}

function aggregatedResource(definition: ResourceDefinition): unknown {
  const subs = subresourcesOf(definition).map((sub) => ({ subresource: sub.name, responseKind: sub.kind, verbs: sub.verbs }));
  return {
    resource: definition.plural, responseKind: { group: definition.group, version: definition.version, kind: definition.kind },
    scope: definition.namespaced ? 'Namespaced' : 'Cluster', singularResource: definition.singular, verbs: verbsOf(definition),
    ...(definition.shortNames && { shortNames: definition.shortNames }), ...(definition.categories && { categories: definition.categories }),
    ...(subs.length > 0 && { subresources: subs }),
  };
}

/** The aggregated form a client accepts, or undefined for the plain one. */
export function aggregatedForm(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  const found = /as=APIGroupDiscoveryList/.test(accept ?? '') ? /v=(v2beta1|v2)\b/.exec(accept ?? '')?.[1] : undefined;
  return found as 'v2' | 'v2beta1' | undefined;
}
