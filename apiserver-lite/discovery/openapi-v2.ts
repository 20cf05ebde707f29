import protobuf from 'protobufjs';
import type { Registry } from '../registry/registry.ts';
import { apiVersionOf, verbsOf } from '../registry/registry.ts';
import { typeSchema } from '../schema/table.ts';
import type { FieldSchema, TypeSchema } from '../schema/types.ts';

/*
 * OpenAPI v2, as older kubectl (up to 1.28) reads it to merge and validate, and newer ones for kinds that
 * are in no v3 document. kubectl asks for protobuf only; field numbers are those of gnostic's openapi_v2.
 */
export const openApiV2Accept = /proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/;
/** Not the name that is asked for: Go's MIME parser refuses the `@` in it. */
export const openApiV2ProtobufType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

type Json = Record<string, unknown>;

const v2Ref = (name: string): string => `#/definitions/${name}`;
const extensionNames = [['listType', 'list-type'], ['listMapKeys', 'list-map-keys'], ['mapType', 'map-type'], ['mergeKey', 'patch-merge-key'], ['patchStrategy', 'patch-strategy'], ['kinds', 'group-version-kind']] as const;

type AnySchema = { readonly [Key in keyof FieldSchema | keyof TypeSchema]?: (Key extends keyof FieldSchema ? FieldSchema[Key] : Key extends keyof TypeSchema ? TypeSchema[Key] : never) | undefined };

/** One schema in OpenAPI v2 JSON. */
function schemaJson(source: AnySchema): Json {
  const out: Json = {};
  if (source.ref !== undefined) out['$ref'] = v2Ref(source.ref);
  else if (source.type !== undefined) out['type'] = source.type;
  else if (source.fields !== undefined) out['type'] = 'object';
  else if (source.oneOf !== undefined) out['type'] = 'string';
  if (source.format !== undefined) out['format'] = source.format;
  if (source.items !== undefined) out['items'] = schemaJson(source.items);
  if (source.values !== undefined) out['additionalProperties'] = schemaJson(source.values);
  if (source.fields !== undefined) out['properties'] = Object.fromEntries(Object.entries(source.fields).map(([name, field]) => [name, schemaJson(field)]));
  if (source.required !== undefined) out['required'] = source.required;
  for (const [from, to] of extensionNames) if (source[from] !== undefined) out[`x-kubernetes-${to}`] = source[from];
  return out;
}

/** `/openapi/v2` as JSON. */
export function openApiV2(registry: Registry): Json {
  const definitions: Json = {};
  const collect = (name: string): void => {
    const schema = typeSchema(name);
    if (schema === undefined || name in definitions) return;
    definitions[name] = schemaJson(schema);
    const visit = (field: FieldSchema): void => {
      if (field.ref !== undefined) collect(field.ref);
      if (field.items !== undefined) visit(field.items);
      if (field.values !== undefined) visit(field.values);
    };
    for (const field of Object.values(schema.fields ?? {})) visit(field);
  };
  const paths: Json = {};
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({ name, in: 'query', type: 'string' }));
  for (const definition of registry.all()) {
    collect(definition.schema);
    if (!verbsOf(definition).includes('patch')) continue;
    const { group, version, kind, plural, namespaced } = definition;
    const path = `/${group === '' ? 'api' : 'apis'}/${apiVersionOf(definition)}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}/{name}`;
    paths[path] = { patch: { operationId: `patch${group.split('.')[0] ?? ''}${version}${kind}`, parameters, 'x-kubernetes-group-version-kind': { group, kind, version } } };
  }
  return { swagger: '2.0', info: { title: 'Podwire', version: 'v1.32.0+podwire' }, paths, definitions };
}

const field = (type: string, id: number, repeated = false): protobuf.IField => (repeated ? { type, id, rule: 'repeated' } : { type, id });

const root = (): protobuf.Root => protobuf.Root.fromJSON({
  nested: {
    Document: { fields: { swagger: field('string', 1), info: field('Info', 2), paths: field('Paths', 8), definitions: field('SchemaMap', 9) } },
    Info: { fields: { title: field('string', 1), version: field('string', 2) } },
    Paths: { fields: { path: field('NamedPathItem', 2, true) } },
    NamedPathItem: { fields: { name: field('string', 1), value: field('PathItem', 2) } },
    PathItem: { fields: { patch: field('Operation', 8) } },
    Operation: { fields: { operationId: field('string', 5), parameters: field('ParametersItem', 8, true), responses: field('Responses', 9), vendorExtension: field('NamedAny', 13, true) } },
    Responses: { fields: {} },
    ParametersItem: { fields: { parameter: field('Parameter', 1) } },
    Parameter: { fields: { nonBody: field('NonBody', 2) } },
    NonBody: { fields: { query: field('QueryParameter', 3) } },
    QueryParameter: { fields: { in: field('string', 2), name: field('string', 4), type: field('string', 6) } },
    SchemaMap: { fields: { entries: field('NamedSchema', 1, true) } },
    NamedSchema: { fields: { name: field('string', 1), value: field('Schema', 2) } },
    Schema: {
      fields: {
        ref: field('string', 1), format: field('string', 2), required: field('string', 19, true), additionalProperties: field('AdditionalProperties', 21),
        type: field('TypeItem', 22), items: field('ItemsItem', 23), properties: field('SchemaMap', 25), vendorExtension: field('NamedAny', 31, true),
      },
    },
    AdditionalProperties: { fields: { schema: field('Schema', 1) } },
    TypeItem: { fields: { value: field('string', 1, true) } },
    ItemsItem: { fields: { schema: field('Schema', 1, true) } },
    NamedAny: { fields: { name: field('string', 1), value: field('Any', 2) } },
    Any: { fields: { yaml: field('string', 2) } },
  },
});

const extensions = (json: Json): { name: string; value: { yaml: string } }[] =>
  Object.entries(json).filter(([name]) => name.startsWith('x-')).map(([name, value]) => ({ name, value: { yaml: `${JSON.stringify(value)}\n` } }));

function schemaMessage(json: Json): Json {
  const { $ref, format, required, additionalProperties, type, items, properties } = json;
  return {
    ...($ref !== undefined && { ref: $ref }), ...(format !== undefined && { format }), ...(required !== undefined && { required }),
    ...(additionalProperties !== undefined && { additionalProperties: { schema: schemaMessage(additionalProperties as Json) } }),
    ...(type !== undefined && { type: { value: [type] } }), ...(items !== undefined && { items: { schema: [schemaMessage(items as Json)] } }),
    ...(properties !== undefined && { properties: schemaMap(properties as Record<string, Json>) }), vendorExtension: extensions(json),
  };
}

const schemaMap = (schemas: Record<string, Json>): Json => ({ entries: Object.entries(schemas).map(([name, value]) => ({ name, value: schemaMessage(value) })) });

type V2Operation = { operationId: string; parameters: { name: string; in: string; type: string }[] };

/** `/openapi/v2` in protobuf. */
export function openApiV2Protobuf(registry: Registry): Uint8Array {
  const document = openApiV2(registry);
  const paths = document['paths'] as Record<string, { patch: V2Operation & Json }>;
  const type = root().lookupType('Document');
  return type.encode(type.fromObject({
    swagger: document['swagger'], info: document['info'], definitions: schemaMap(document['definitions'] as Record<string, Json>),
    paths: {
      path: Object.entries(paths).map(([name, { patch }]) => ({
        name, value: { patch: { operationId: patch.operationId, parameters: patch.parameters.map((query) => ({ parameter: { nonBody: { query } } })), responses: {}, vendorExtension: extensions(patch) } },
      })),
    },
  })).finish();
}
