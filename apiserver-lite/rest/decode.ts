import { DecodeError, decodeBody } from '../encoding/index.ts';
import type { DecodedBody } from '../encoding/index.ts';
import { badRequest, StatusError } from '../http/status-error.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { apiVersionOf } from '../registry/registry.ts';
import { fitToSchema, MistypedFieldError } from '../schema/strict.ts';
import type { WriteOptions } from './context.ts';

type Expected = Pick<ResourceDefinition, 'group' | 'version' | 'kind' | 'schema'>;

export function decode(contentType: string, body: Uint8Array): DecodedBody {
  try {
    const decoded = decodeBody({ contentType, body });
    if (contentType.includes('yaml')) requireTree(decoded.object);
    return decoded;
  } catch (error) {
    // The stack is used up: no honest object nests that deeply.
    if (error instanceof RangeError) throw badRequest('the body of the request nests too deeply or refers to itself');
    if (error instanceof DecodeError) throw new StatusError(error.status, error.code, error.message);
    throw error;
  }
}

/** YAML anchors can make a value contain itself. */
function requireTree(value: unknown, above: readonly unknown[] = []): void {
  if (typeof value !== 'object' || value === null) return;
  if (above.includes(value)) throw badRequest('the body of the request refers to itself through a YAML anchor');
  for (const child of Object.values(value)) requireTree(child, [...above, value]);
}

/** Body bytes to an object of the expected kind, every field known and of the right type. */
export function decodeObject(expected: Expected, contentType: string, body: Uint8Array, options: WriteOptions): ApiObject {
  const { object: value, duplicates } = decode(contentType, body);
  return toObject(expected, value, options, duplicates);
}

export function toObject(expected: Expected, value: unknown, options: WriteOptions, duplicates: readonly string[] = []): ApiObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('the body of the request must be an object');
  const object = value as ApiObject;
  const wanted = apiVersionOf(expected);
  const partial = value as { kind?: unknown; apiVersion?: unknown };
  if (partial.kind === undefined || partial.kind === '') object.kind = expected.kind;
  if (partial.apiVersion === undefined || partial.apiVersion === '') object.apiVersion = wanted;
  if (object.kind !== expected.kind) throw badRequest(`${object.kind} in version "${object.apiVersion}" cannot be handled as a ${expected.kind}: the object's kind does not match the URL`);
  if (object.apiVersion !== wanted) throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${wanted})`);
  fit(expected, object, options, duplicates);
  ensureMetadata(object);
  return object;
}

/** A body or a patch may leave out metadata and the name; all later code counts on both. */
export function ensureMetadata(object: ApiObject): void {
  const metadata = object.metadata as ApiObject['metadata'] | undefined;
  object.metadata = { ...metadata, name: (metadata?.name) ?? '' };
}

/** Applies `fieldValidation`: Strict refuses, Warn warns, Ignore drops silently. Wrong types are always refused. */
export function fit(expected: Expected, object: ApiObject, options: WriteOptions, duplicates: readonly string[] = []): void {
  const prefix = `${expected.kind} in version "${expected.version}" cannot be handled as a ${expected.kind}: `;
  let unknown: readonly string[];
  try {
    unknown = fitToSchema(expected.schema, object);
  } catch (error) {
    if (error instanceof MistypedFieldError) throw badRequest(prefix + error.message);
    throw error;
  }
  const faults = [...unknown.map((path) => `unknown field "${path}"`), ...duplicates.map((path) => `duplicate field "${path}"`)];
  if (faults.length === 0 || options.fieldValidation === 'Ignore') return;
  if (options.fieldValidation === 'Strict') throw badRequest(`${prefix}strict decoding error: ${faults.join(', ')}`);
  options.warnings.push(...faults);
}
