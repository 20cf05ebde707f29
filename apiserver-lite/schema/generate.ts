/**
 * Derives `schema.json` from a file of Kubernetes' OpenAPI schemas: names, types and keys only.
 *
 *     node apiserver-lite/schema/generate.ts PATH/TO/schemas.json
 *
 * The source has the shape `{"schemas": {"io.k8s.api.core.v1.Pod": {"properties": ...}}}`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FieldSchema, TypeSchema } from './types.ts';

type OpenApi = {
  type?: string; format?: string; $ref?: string; items?: OpenApi; additionalProperties?: OpenApi | boolean; default?: unknown;
  properties?: Record<string, OpenApi>; required?: string[]; oneOf?: { type: string }[]; [extension: `x-kubernetes-${string}`]: unknown;
};

const plainRef = (ref: string): string => ref.replace('#/components/schemas/', '');

function field(source: OpenApi): FieldSchema {
  const out: Record<string, unknown> = {};
  if (source.$ref === undefined) { if (source.type !== undefined) out['type'] = source.type; }
  else out['ref'] = plainRef(source.$ref);
  if (source.format !== undefined) out['format'] = source.format;
  if (source.items !== undefined) out['items'] = field(source.items);
  if (typeof source.additionalProperties === 'object') out['values'] = field(source.additionalProperties);
  for (const [from, to] of [['list-type', 'listType'], ['list-map-keys', 'listMapKeys'], ['map-type', 'mapType'], ['patch-merge-key', 'mergeKey'], ['patch-strategy', 'patchStrategy']] as const) {
    const value = source[`x-kubernetes-${from}`];
    if (value !== undefined) out[to] = value;
  }
  if (source.default !== undefined) out['default'] = source.default;
  return out;
}

function typeOf(source: OpenApi): TypeSchema {
  const out: Record<string, unknown> = {};
  if (source.properties !== undefined) out['fields'] = Object.fromEntries(Object.entries(source.properties).map(([name, value]) => [name, field(value)]));
  else if (source.type !== undefined) out['type'] = source.type;
  if (source.format !== undefined) out['format'] = source.format;
  if (source.oneOf !== undefined) out['oneOf'] = source.oneOf.map((one) => one.type);
  if (source.required !== undefined) out['required'] = source.required;
  if (source['x-kubernetes-map-type'] !== undefined) out['mapType'] = source['x-kubernetes-map-type'];
  const kinds = source['x-kubernetes-group-version-kind'];
  if (kinds !== undefined) out['kinds'] = kinds;
  return out;
}

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: node apiserver-lite/schema/generate.ts PATH/TO/schemas.json');
  process.exit(2);
}
const { schemas } = JSON.parse(readFileSync(path, 'utf8')) as { schemas: Record<string, OpenApi> };
const lines = Object.keys(schemas).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(typeOf(schemas[name] ?? {}))}`);
writeFileSync(join(import.meta.dirname, 'schema.json'), `{\n${lines.join(',\n')}\n}\n`);
console.log(`schema.json: ${lines.length} types`);
