import { typeSchema } from './table.ts';
import type { FieldSchema } from './types.ts';

/** A value of the wrong type. Never tolerated, whatever `fieldValidation` says. */
export class MistypedFieldError extends Error {
  override readonly name = 'MistypedFieldError';
}

type Walk = { readonly unknown: string[] };

/**
 * Fits a decoded body to its schema, in place: unknown fields are removed and named, nulls are removed,
 * numbers given for quantities become text. Throws MistypedFieldError at the first value of a wrong type.
 */
export function fitToSchema(schemaName: string, object: Record<string, unknown>): readonly string[] {
  const walk: Walk = { unknown: [] };
  fitType(walk, schemaName, object, '', '');
  return walk.unknown;
}

function fitType(walk: Walk, name: string, value: unknown, path: string, owner: string): void {
  const schema = typeSchema(name);
  if (schema === undefined) return;
  const short = name.slice(name.lastIndexOf('.') + 1);
  if (schema.fields === undefined) {
    fitScalar(schema, value, path, owner, short);
    return;
  }
  if (!isObject(value)) throw mistyped(value, path, owner, `v1.${short}`);
  for (const key of Object.keys(value)) {
    const child = path === '' ? key : `${path}.${key}`;
    const field = schema.fields[key];
    if (field === undefined) {
      walk.unknown.push(child);
      Reflect.deleteProperty(value, key);
    } else if (value[key] === null) {
      Reflect.deleteProperty(value, key);
    } else if (isQuantity(field) && typeof value[key] === 'number') {
      value[key] = String(value[key]);
    } else {
      fitField(walk, field, value[key], child, short);
    }
  }
}

function fitField(walk: Walk, field: FieldSchema, value: unknown, path: string, owner: string): void {
  if (field.ref !== undefined) {
    fitType(walk, field.ref, value, path, owner);
    return;
  }
  switch (field.type) {
    case 'array':
      if (!Array.isArray(value)) throw mistyped(value, path, owner, goType(field));
      for (const [index, item] of (value as unknown[]).entries()) {
        if (field.items === undefined) continue;
        if (item === null) value[index] = zeroOf(field.items);
        else fitField(walk, field.items, item, `${path}[${index}]`, owner);
      }
      return;
    case 'object':
      if (!isObject(value)) throw mistyped(value, path, owner, goType(field));
      if (field.values !== undefined) fitMap(walk, field.values, value, path, owner);
      return;
    case 'string':
      if (typeof value !== 'string') throw mistyped(value, path, owner, goType(field));
      return;
    case 'boolean':
      if (typeof value !== 'boolean') throw mistyped(value, path, owner, 'bool');
      return;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw mistyped(value, path, owner, goType(field));
      if (field.format === 'int32' && Math.abs(value) > 2 ** 31) throw mistyped(value, path, owner, 'int32');
      return;
    case 'number':
      if (typeof value !== 'number') throw mistyped(value, path, owner, 'float64');
      return;
    case undefined:
  }
}

/** What Go makes of a null in a list. */
function zeroOf({ ref, type }: FieldSchema): unknown {
  if (ref !== undefined) return typeSchema(ref)?.fields === undefined ? null : {};
  return { string: '', integer: 0, number: 0, boolean: false, array: [], object: {} }[type ?? 'object'];
}

function fitMap(walk: Walk, values: FieldSchema, map: Record<string, unknown>, path: string, owner: string): void {
  for (const key of Object.keys(map)) {
    const value = map[key];
    if (value === null) {
      if (values.type === 'string') map[key] = '';
      else Reflect.deleteProperty(map, key);
    } else if (isQuantity(values) && typeof value === 'number') map[key] = String(value);
    else fitField(walk, values, value, `${path}.${key}`, owner);
  }
}

function fitScalar(schema: { type?: string; format?: string; oneOf?: readonly string[] }, value: unknown, path: string, owner: string, short: string): void {
  if (schema.oneOf !== undefined) {
    const found = typeof value === 'number' ? 'number' : typeof value;
    if (found !== 'string' && !(found === 'number' && (short === 'Quantity' || Number.isInteger(value)))) throw mistyped(value, path, owner, short === 'Quantity' ? 'resource.Quantity' : 'intstr.IntOrString');
  } else if (schema.type === 'string') {
    if (typeof value !== 'string') throw mistyped(value, path, owner, `v1.${short}`);
    if (schema.format === 'date-time' && Number.isNaN(Date.parse(value))) {
      throw new MistypedFieldError(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${path}`);
    }
  } else if (schema.type === 'object' && !isObject(value)) throw mistyped(value, path, owner, short);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isQuantity = (field: FieldSchema): boolean => field.ref?.endsWith('.Quantity') === true;

function goType(field: FieldSchema): string {
  if (field.ref !== undefined) return `v1.${field.ref.slice(field.ref.lastIndexOf('.') + 1)}`;
  switch (field.type) {
    case 'array': return `[]${goType(field.items ?? {})}`;
    case 'object': return `map[string]${goType(field.values ?? {})}`;
    case 'integer': return field.format ?? 'int64';
    case 'boolean': return 'bool';
    case 'number': return 'float64';
    case 'string': return field.format === 'byte' ? '[]uint8' : 'string';
    default: return 'interface {}';
  }
}

function mistyped(value: unknown, path: string, owner: string, wanted: string): MistypedFieldError {
  const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;
  const shown = typeof value === 'number' && !wanted.startsWith('int') ? found : typeof value === 'number' ? `number ${value}` : found;
  return new MistypedFieldError(`json: cannot unmarshal ${shown} into Go struct field ${owner === '' ? '' : `${owner}.`}${path.replaceAll(/\[\d+\]/g, '')} of type ${wanted}`);
}
