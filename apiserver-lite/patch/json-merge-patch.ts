import type { JsonObject } from './json.ts';
import { cloneJson, isObject } from './json.ts';
import { PatchError } from './patch-error.ts';

/** RFC 7396. Lists are replaced whole, null deletes a key. */
export function applyJsonMergePatch(current: JsonObject, patch: unknown): JsonObject {
  if (!isObject(patch)) {
    throw new PatchError('BadRequest', 'a merge patch must be a JSON object');
  }
  return merge(current, patch) as JsonObject;
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return cloneJson(patch);
  const result: JsonObject = isObject(target) ? cloneJson(target) : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = merge(result[key], value);
  }
  return result;
}
