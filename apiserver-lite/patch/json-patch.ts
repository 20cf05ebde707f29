import fastJsonPatch from 'fast-json-patch';
import type { Operation } from 'fast-json-patch';
import type { JsonObject } from './json.ts';
import { cloneJson, isObject } from './json.ts';
import { PatchError } from './patch-error.ts';

/** The API server refuses longer patches: each operation may copy the object. */
const MAX_OPERATIONS = 10_000;

/** RFC 6902. A failed `test` or a path that is not there is 422, a malformed patch 400. */
export function applyJsonPatch(current: JsonObject, patch: unknown): JsonObject {
  if (!Array.isArray(patch) || !patch.every((item) => isObject(item))) {
    throw new PatchError('BadRequest', 'a JSON patch must be an array of operations');
  }
  if (patch.length > MAX_OPERATIONS) {
    throw new PatchError('Invalid', `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`);
  }
  // The library keeps values of operations by reference in the result: hand it copies.
  const operations: JsonObject[] = cloneJson(patch);
  try {
    // validate=true also refuses add/replace/remove at paths that do not exist; banPrototypeModifications guards __proto__.
    const { newDocument } = fastJsonPatch.applyPatch(current, operations as unknown as Operation[], true, false, true);
    if (!isObject(newDocument)) throw new PatchError('Invalid', 'the patch removes the whole object');
    return newDocument;
  } catch (cause) {
    if (cause instanceof PatchError) throw cause;
    throw asPatchError(cause, operations);
  }
}

function asPatchError(cause: unknown, operations: readonly JsonObject[]): PatchError {
  const code = isObject(cause) || cause instanceof Error ? (cause as { name?: unknown }).name : undefined;
  const index = (cause as { index?: number }).index ?? 0;
  const operation = operations[index] ?? {};
  const path = typeof operation['path'] === 'string' ? operation['path'] : '';
  const verb = typeof operation['op'] === 'string' ? operation['op'] : 'unknown';
  switch (code) {
    case 'TEST_OPERATION_FAILED':
      return new PatchError('Invalid', `the server rejected our request due to an error in our request: testing value ${path} failed`, [], { cause });
    case 'OPERATION_OP_INVALID':
    case 'OPERATION_NOT_AN_OBJECT':
    case 'OPERATION_PATH_INVALID':
    case 'OPERATION_FROM_REQUIRED':
    case 'OPERATION_VALUE_REQUIRED':
      return new PatchError('BadRequest', `operation ${index} (${verb} ${path}) of the JSON patch is malformed: ${text(code)}`, [], { cause });
    default:
      return new PatchError('Invalid', `the server rejected our request due to an error in our request: ${verb} operation does not apply: doc is missing path: ${path}`, [], { cause });
  }
}

function text(code: string): string {
  return code.toLowerCase().replaceAll('_', ' ');
}
