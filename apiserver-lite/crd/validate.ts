import type { FieldError } from '../registry/field-error.ts';
import { duplicate, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from '../registry/field-error.ts';
import { sameJson } from '../rest/equality.ts';
import type { JsonSchema } from './definition.ts';

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : Number.isInteger(value) ? 'integer' : typeof value);

/** Fills in the schema's defaults, in place, at every depth. */
export function applyDefaults(schema: JsonSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) applyDefaults(schema.items, item);
  } else if (isObject(value)) {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (value[name] === undefined && field.default !== undefined) value[name] = structuredClone(field.default);
      if (value[name] !== undefined) applyDefaults(field, value[name]);
    }
    if (typeof schema.additionalProperties === 'object') for (const each of Object.values(value)) applyDefaults(schema.additionalProperties, each);
  }
}

function typeFits(schema: JsonSchema, value: unknown): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) return Number.isInteger(value) || typeof value === 'string';
  if (schema.type === undefined) return true;
  if (value === null) return schema.nullable === true;
  const found = typeOf(value);
  return found === schema.type || (schema.type === 'number' && found === 'integer');
}

/** Everything that is wrong with a custom object, by its OpenAPI schema. */
export function validateBySchema(schema: JsonSchema, value: unknown, path: string): FieldError[] {
  if (value === null && schema.nullable === true) return [];
  if (!typeFits(schema, value)) return [typeInvalid(path, value, `${path} in body must be of type ${schema.type ?? 'integer or string'}: "${typeOf(value)}"`)];
  const errors: FieldError[] = [];
  if (schema.enum !== undefined && !schema.enum.some((each) => sameJson(each, value))) errors.push(notSupported(path, value, schema.enum.map(String)));
  if (typeof value === 'string') errors.push(...stringErrors(schema, value, path));
  else if (typeof value === 'number') errors.push(...numberErrors(schema, value, path));
  else if (Array.isArray(value)) errors.push(...arrayErrors(schema, value, path));
  else if (isObject(value)) errors.push(...objectErrors(schema, value, path));
  const fits = (each: JsonSchema): boolean => validateBySchema(each, value, path).length === 0;
  for (const each of schema.allOf ?? []) errors.push(...validateBySchema(each, value, path));
  if (schema.anyOf !== undefined && !schema.anyOf.some(fits)) errors.push(invalid(path, value, `"${path}" must validate at least one schema (anyOf)`));
  if (schema.oneOf !== undefined && schema.oneOf.filter(fits).length !== 1) errors.push(invalid(path, value, `"${path}" must validate one and only one schema (oneOf)`));
  if (schema.not !== undefined && fits(schema.not)) errors.push(invalid(path, value, `"${path}" must not validate the schema (not)`));
  return errors;
}

function stringErrors({ pattern, minLength, maxLength, format }: JsonSchema, value: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (maxLength !== undefined && value.length > maxLength) errors.push(tooLong(path, value, maxLength));
  if (minLength !== undefined && value.length < minLength) errors.push(invalid(path, value, `${path} in body should be at least ${minLength} chars long`));
  if (pattern !== undefined && !new RegExp(pattern).test(value)) errors.push(invalid(path, value, `${path} in body should match '${pattern}'`));
  if (format === 'date-time' && Number.isNaN(Date.parse(value))) errors.push(invalid(path, value, `${path} in body must be of type date-time`));
  return errors;
}

function numberErrors(schema: JsonSchema, value: number, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && (exclusiveMinimum === true ? value <= minimum : value < minimum)) errors.push(invalid(path, value, `${path} in body should be greater than ${exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`));
  if (maximum !== undefined && (exclusiveMaximum === true ? value >= maximum : value > maximum)) errors.push(invalid(path, value, `${path} in body should be less than ${exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`));
  if (multipleOf !== undefined && value % multipleOf !== 0) errors.push(invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  return errors;
}

function arrayErrors(schema: JsonSchema, value: readonly unknown[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.maxItems !== undefined && value.length > schema.maxItems) errors.push(tooMany(path, value.length, schema.maxItems));
  if (schema.minItems !== undefined && value.length < schema.minItems) errors.push(invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`));
  const keys = schema['x-kubernetes-list-map-keys'];
  const identity = (item: unknown): string => JSON.stringify(keys === undefined || !isObject(item) ? item : keys.map((key) => item[key]));
  if (schema['x-kubernetes-list-type'] === 'map' || schema['x-kubernetes-list-type'] === 'set' || schema.uniqueItems === true) {
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      if (seen.has(identity(item))) errors.push(duplicate(`${path}[${index}]`, item));
      seen.add(identity(item));
    }
  }
  if (schema.items !== undefined) for (const [index, item] of value.entries()) errors.push(...validateBySchema(schema.items, item, `${path}[${index}]`));
  return errors;
}

function objectErrors(schema: JsonSchema, value: Fields, path: string): FieldError[] {
  const child = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const errors: FieldError[] = (schema.required ?? []).filter((name) => value[name] === undefined).map((name) => required(child(name)));
  const size = Object.keys(value).length;
  if (schema.maxProperties !== undefined && size > schema.maxProperties) errors.push(tooMany(path, size, schema.maxProperties));
  if (schema.minProperties !== undefined && size < schema.minProperties) errors.push(invalid(path, size, `${path} in body should have at least ${schema.minProperties} properties`));
  for (const [name, each] of Object.entries(value)) {
    if (path === '' && ['apiVersion', 'kind', 'metadata'].includes(name)) continue;
    const field = schema.properties?.[name] ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
    if (field !== undefined) errors.push(...validateBySchema(field, each, child(name)));
  }
  return errors;
}
