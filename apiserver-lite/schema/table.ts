import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FieldSchema, SchemaTable, TypeSchema } from './types.ts';

let loaded: SchemaTable | undefined;
const added = new Map<string, TypeSchema>();

/** Read when first asked for: `--help` and the tests of other parts do not pay for it. */
export function schemaTable(): SchemaTable {
  loaded ??= JSON.parse(readFileSync(join(import.meta.dirname, 'schema.json'), 'utf8')) as SchemaTable;
  return loaded;
}

/** The schema of a type by its full name, or undefined: then everything is allowed. */
export const typeSchema = (name: string): TypeSchema | undefined => added.get(name) ?? schemaTable()[name];

/** Types that come at run time (CustomResourceDefinitions). */
export function addTypeSchema(name: string, schema: TypeSchema): void {
  added.set(name, schema);
}

/** The schema of field `name` of the type that `field` refers to: follows `ref`, and free keys of a map. */
export function childField(parent: FieldSchema | undefined, name: string): FieldSchema | undefined {
  if (parent === undefined) return undefined;
  if (parent.ref !== undefined) return typeSchema(parent.ref)?.fields?.[name];
  return parent.values;
}
