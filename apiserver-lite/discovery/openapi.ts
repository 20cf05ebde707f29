import { createHash } from 'node:crypto';
import type { ResourceDefinition } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import { verbsOf } from '../registry/registry.ts';
import { typeSchema } from '../schema/table.ts';
import type { FieldSchema, TypeSchema } from '../schema/types.ts';

const ref = (name: string): string => `#/components/schemas/${name}`;

function fieldDocument(field: FieldSchema): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (field.ref !== undefined) {
    if (field.default === undefined && Object.keys(field).length === 1) return { $ref: ref(field.ref) };
    out['allOf'] = [{ $ref: ref(field.ref) }];
  } else if (field.type !== undefined) out['type'] = field.type;
  if (field.format !== undefined) out['format'] = field.format;
  if (field.items !== undefined) out['items'] = fieldDocument(field.items);
  if (field.values !== undefined) out['additionalProperties'] = fieldDocument(field.values);
  if (field.default !== undefined) out['default'] = field.default;
  for (const [from, to] of [['listType', 'list-type'], ['listMapKeys', 'list-map-keys'], ['mapType', 'map-type'], ['mergeKey', 'patch-merge-key'], ['patchStrategy', 'patch-strategy']] as const) {
    if (field[from] !== undefined) out[`x-kubernetes-${to}`] = field[from];
  }
  return out;
}

function typeDocument(schema: TypeSchema): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (schema.oneOf !== undefined) out['oneOf'] = schema.oneOf.map((type) => ({ type }));
  else if (schema.fields !== undefined || schema.type !== undefined) out['type'] = schema.type ?? 'object';
  if (schema.format !== undefined) out['format'] = schema.format;
  if (schema.fields !== undefined) out['properties'] = Object.fromEntries(Object.entries(schema.fields).map(([name, field]) => [name, fieldDocument(field)]));
  if (schema.required !== undefined) out['required'] = schema.required;
  if (schema.mapType !== undefined) out['x-kubernetes-map-type'] = schema.mapType;
  if (schema.kinds !== undefined) out['x-kubernetes-group-version-kind'] = schema.kinds;
  return out;
}

function collect(name: string, into: Map<string, unknown>): void {
  const schema = typeSchema(name);
  if (schema === undefined || into.has(name)) return;
  into.set(name, typeDocument(schema));
  const visit = (field: FieldSchema): void => {
    if (field.ref !== undefined) collect(field.ref, into);
    if (field.items !== undefined) visit(field.items);
    if (field.values !== undefined) visit(field.values);
  };
  for (const field of Object.values(schema.fields ?? {})) visit(field);
}

const query = (name: string): unknown => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } });
const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'].map(query);
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'];

function paths(definition: ResourceDefinition): Record<string, unknown> {
  const { group, version, kind, plural, namespaced, schema } = definition;
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${base}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}`;
  const verbs = verbsOf(definition);
  const content = typeSchema(schema) === undefined ? {} : { 'application/json': { schema: { $ref: ref(schema) } } };
  const operation = (action: string, parameters: readonly unknown[], body?: Record<string, unknown>): unknown => ({
    operationId: `${action}${group.split('.')[0] ?? ''}${version}${kind}`, 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': { group, version, kind }, parameters,
    ...(body && { requestBody: { content: body, required: true } }), responses: { 200: { description: 'OK', content } },
  });
  const patchBody = Object.fromEntries(patchTypes.filter((type) => schema.startsWith('io.k8s.') || !type.includes('strategic')).map((type) => [type, { schema: { $ref: ref('io.k8s.apimachinery.pkg.apis.meta.v1.Patch') } }]));
  const named: Record<string, unknown> = {};
  if (verbs.includes('get')) named['get'] = operation('get', []);
  if (verbs.includes('update')) named['put'] = operation('put', writeParameters, content);
  if (verbs.includes('patch')) named['patch'] = operation('patch', [...writeParameters, query('force')], patchBody);
  if (verbs.includes('delete')) named['delete'] = operation('delete', [query('dryRun'), query('gracePeriodSeconds'), query('propagationPolicy')]);
  return {
    [collection]: { ...(verbs.includes('list') && { get: operation('list', []) }), ...(verbs.includes('create') && { post: operation('post', writeParameters, content) }) },
    ...(Object.keys(named).length > 0 && { [`${collection}/{name}`]: named }),
  };
}

const pathOf = (group: string, version: string): string => (group === '' ? `api/${version}` : `apis/${group}/${version}`);
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase();

/** `/openapi/v3/apis/apps/v1`: undefined when there is no such version. Rendered on demand: kubectl asks for few and caches them. */
export function openApiDocument(registry: Registry, path: string): string | undefined {
  const definitions = registry.all().filter(({ group, version }) => pathOf(group, version) === path);
  if (definitions.length === 0) return undefined;
  const schemas = new Map<string, unknown>();
  for (const definition of definitions) collect(definition.schema, schemas);
  for (const meta of ['Patch', 'DeleteOptions', 'Status']) collect(`io.k8s.apimachinery.pkg.apis.meta.v1.${meta}`, schemas);
  return JSON.stringify({
    openapi: '3.0.0', info: { title: 'Podwire', version: 'v1.32.0+podwire' },
    paths: Object.assign({}, ...definitions.map(paths)) as object, components: { schemas: Object.fromEntries(schemas) },
  });
}

/** `/openapi/v3`: where the documents are; the hash changes with the kinds, so that clients may cache. */
export function openApiIndex(registry: Registry): unknown {
  const entries = [...registry.groups()].flatMap(([group, versions]) => versions.map((version) => {
    const path = pathOf(group, version);
    const kinds = registry.all().filter((each) => each.group === group && each.version === version).map((each) => `${each.kind}:${each.schema}`).join();
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash(kinds)}` }];
  }));
  return { paths: Object.fromEntries(entries) as object };
}
