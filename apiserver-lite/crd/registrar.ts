import type { Logger } from 'pino';
import { ageSince } from '../conventions/age.ts';
import { defineResource } from '../registry/definition.ts';
import type { ApiObject, Cell, Column, ResourceDefinition } from '../registry/definition.ts';
import type { RestContext } from '../rest/context.ts';
import { commitRemoval } from '../rest/write.ts';
import type { Crd, CrdColumn, CrdVersion } from './definition.ts';
import { readJsonPath } from './json-path.ts';
import { addCustomType } from './type-schema.ts';
import { applyDefaults, validateBySchema } from './validate.ts';

const crds = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' };

const ageOf = (text: unknown, nowMs: number): string => ageSince(typeof text === 'string' ? text : undefined, nowMs);

function columnOf({ name, type, jsonPath, format = '', description = '', priority = 0 }: CrdColumn): Column {
  return {
    name, type: type === 'date' ? 'string' : type as Column['type'], format, description, priority,
    cell: (object, nowMs): Cell => {
      const value = readJsonPath(object, jsonPath);
      if (type === 'date') return ageOf(value, nowMs);
      if (value === undefined || value === null) return null;
      return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : JSON.stringify(value);
    },
  };
}

/** One served version of a CustomResourceDefinition as a kind like any other. */
export function customDefinition({ spec: { group, scope, names } }: Crd, version: CrdVersion): ResourceDefinition {
  const schema = version.schema?.openAPIV3Schema ?? {};
  const typeName = `${group.split('.').reverse().join('.')}.${version.name}.${names.kind}`;
  addCustomType(typeName, schema, [{ group, version: version.name, kind: names.kind }]);
  const { scale, status } = version.subresources ?? {};
  const columns = version.additionalPrinterColumns ?? [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }];
  return defineResource({
    group, version: version.name, kind: names.kind, plural: names.plural, singular: names.singular ?? names.kind.toLowerCase(), namespaced: scope === 'Namespaced', schema: typeName,
    ...(names.shortNames && { shortNames: names.shortNames }), ...(names.categories && { categories: names.categories }),
    subresources: {
      status: status !== undefined,
      ...(scale && { scale: { specReplicas: scale.specReplicasPath, statusReplicas: scale.statusReplicasPath, labelSelector: scale.labelSelectorPath ?? '' } }),
    },
    columns: [{ name: 'Name', type: 'string', format: 'name', cell: (object: ApiObject) => object.metadata.name }, ...columns.map(columnOf)],
    selectableFields: Object.fromEntries((version.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), (object: ApiObject) => {
      const value = readJsonPath(object, jsonPath);
      return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
    }])),
    hasGeneration: true,
    defaults: (object) => applyDefaults(schema, object),
    validate: (object) => validateBySchema(schema, object, ''),
  });
}

/** All served versions. One of them is stored; the others show the same objects under their own apiVersion and schema. */
export function customDefinitions(crd: Crd): ResourceDefinition[] {
  const { group, versions } = crd.spec;
  const storage = versions.find((version) => version.storage);
  if (storage === undefined) return [];
  const stored = customDefinition(crd, storage);
  const named = (version: string) => (object: ApiObject): ApiObject => ({ ...object, apiVersion: `${group}/${version}` });
  return versions.filter(({ served }) => served).map((version) => (version === storage ? stored : {
    ...customDefinition(crd, version), view: { of: stored, fromStored: named(version.name), toStored: named(storage.name) },
  }));
}

/** Keeps the registry in step with the CustomResourceDefinitions in the store; also those that another API server wrote. */
export function followCustomResources(context: RestContext, log: Logger): () => void {
  const registered = new Map<string, ResourceDefinition[]>();
  const forget = (key: string): void => {
    for (const definition of registered.get(key) ?? []) context.registry.remove(definition);
    registered.delete(key);
  };
  const register = (key: string, crd: Crd): void => {
    forget(key);
    const definitions = customDefinitions(crd);
    for (const definition of definitions) context.registry.add(definition);
    registered.set(key, definitions);
  };
  const cache = context.cache.resource(crds);
  for (const { key, object } of cache.all()) register(key, object as Crd);
  return cache.listen(({ type, current }) => {
    if (type !== 'DELETED') {
      register(current.key, current.object as Crd);
      return;
    }
    const definitions = registered.get(current.key) ?? [];
    forget(current.key);
    for (const definition of definitions) if (definition.view === undefined) removeAll(context, definition).catch((error: unknown) => log.warn({ err: error, kind: definition.kind }, 'objects of a deleted kind could not all be removed'));
  });
}

async function removeAll(context: RestContext, definition: ResourceDefinition): Promise<void> {
  for (const cached of context.cache.resource({ group: definition.group, resource: definition.plural }).all()) {
    const { name, namespace } = cached.object.metadata;
    await commitRemoval(context, { definition, namespace, name }, cached);
  }
}
