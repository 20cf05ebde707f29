import { addTypeSchema } from '../schema/table.ts';
import type { FieldSchema, TypeSchema } from '../schema/types.ts';
import type { JsonSchema } from './definition.ts';

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/**
 * Enters a custom resource's schema into the table of types, one type per nested object. Strict decoding,
 * `kubectl explain`, OpenAPI and server-side apply then treat it like a built-in kind.
 */
export function addCustomType(name: string, schema: JsonSchema, kinds: TypeSchema['kinds']): void {
  const top = typeOf(name, schema);
  addTypeSchema(name, {
    ...top, ...(kinds && { kinds }),
    ...(top.fields && { fields: { apiVersion: { type: 'string' }, kind: { type: 'string' }, ...top.fields, metadata: { ref: objectMeta } } }),
  });
}

function typeOf(name: string, schema: JsonSchema): TypeSchema {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined) return { type: 'object' };
  const fields = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, value]) => [key, fieldOf(`${name}.${key}`, value)]));
  return { fields, ...(schema.required && { required: schema.required }), ...(schema['x-kubernetes-map-type'] && { mapType: schema['x-kubernetes-map-type'] }) };
}

function fieldOf(name: string, schema: JsonSchema): FieldSchema {
  if (schema['x-kubernetes-int-or-string'] === true) return { ref: intOrString };
  const shared = { ...(schema.default !== undefined && { default: schema.default }), ...(schema['x-kubernetes-map-type'] && { mapType: schema['x-kubernetes-map-type'] }) };
  switch (schema.type) {
    case 'object': {
      if (schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-embedded-resource'] === true) return { type: 'object', ...shared };
      if (schema.properties !== undefined) {
        addTypeSchema(name, typeOf(name, schema));
        return { ref: name, ...shared };
      }
      return typeof schema.additionalProperties === 'object' ? { type: 'object', values: fieldOf(`${name}.value`, schema.additionalProperties), ...shared } : { type: 'object', ...shared };
    }
    case 'array':
      return {
        type: 'array', items: fieldOf(`${name}.item`, schema.items ?? {}), ...shared,
        ...(schema['x-kubernetes-list-type'] && { listType: schema['x-kubernetes-list-type'] }), ...(schema['x-kubernetes-list-map-keys'] && { listMapKeys: schema['x-kubernetes-list-map-keys'] }),
      };
    case 'string':
    case 'boolean':
    case 'number':
      return { type: schema.type, ...shared };
    case 'integer':
      return { type: 'integer', format: schema.format ?? 'int64', ...shared };
    default:
      return { ...shared };
  }
}
