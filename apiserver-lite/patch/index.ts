/**
 * Patches as pure functions: object and patch in, object out; a PatchError carries the Status to answer.
 *
 * Server-side apply has entries of its own because it also needs a manager, a time and the old managedFields.
 */
import { applyJsonMergePatch } from './json-merge-patch.ts';
import { applyJsonPatch } from './json-patch.ts';
import type { JsonObject } from './json.ts';
import { PatchError } from './patch-error.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

export { applyJsonMergePatch } from './json-merge-patch.ts';
export { applyJsonPatch } from './json-patch.ts';
export type { JsonObject } from './json.ts';
export { PatchError } from './patch-error.ts';
export type { PatchCause } from './patch-error.ts';
export { applyStrategicMergePatch } from './strategic-merge-patch.ts';
export { serverSideApply, trackUpdate } from './managed-fields.ts';
export type { ApplyRequest, UpdateRequest } from './managed-fields.ts';

/** Media types that `applyPatch` serves, as the API server advertises them in a 415. */
export const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
] as const;

/** The media type of server-side apply; the core routes it to `serverSideApply`. */
export const APPLY_PATCH_TYPE = 'application/apply-patch+yaml';

/** Same shape as the registry's PatchRequest. */
export type PatchRequest<T extends JsonObject = JsonObject> = Readonly<{
  /** Content-Type header; parameters after `;` are ignored. */
  contentType: string;
  /** The stored object; never modified. */
  current: T;
  /** The decoded body: an array for JSON patch, else an object. */
  patch: unknown;
  /** Schema of the object, for example `io.k8s.api.core.v1.Pod`; '' (custom resources) refuses strategic merge. */
  schema: string;
}>;

/** The patched object, sharing no structure that the caller may not freely change. Throws PatchError. */
export function applyPatch<T extends JsonObject>(request: PatchRequest<T>): T {
  return applyAny(request) as T;
}

function applyAny({ contentType, current, patch, schema }: PatchRequest): JsonObject {
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase();
  switch (mediaType) {
    case 'application/json-patch+json':
      return applyJsonPatch(current, patch);
    case 'application/merge-patch+json':
      return applyJsonMergePatch(current, patch);
    case 'application/strategic-merge-patch+json':
      if (schema === '') {
        throw unsupported(contentType, ['application/json-patch+json', 'application/merge-patch+json', APPLY_PATCH_TYPE]);
      }
      return applyStrategicMergePatch(current, patch, schema);
    default:
      throw unsupported(contentType, [...PATCH_TYPES, APPLY_PATCH_TYPE]);
  }
}

function unsupported(contentType: string, accepted: readonly string[]): PatchError {
  return new PatchError('UnsupportedMediaType', `the body of the request was in an unknown format (${contentType}) - accepted media types include: ${accepted.join(', ')}`);
}
