import type { CachedObject } from '../cache/cached-object.ts';
import { applyPatch, PatchError } from '../patch/index.ts';
import { StatusError } from '../http/status-error.ts';
import type { RestContext, Target, WriteOptions } from './context.ts';
import { decode, ensureMetadata, fit } from './decode.ts';
import { updateObject } from './update.ts';

/** Runs a function of patch/ and turns its refusal into a Status. */
export function patched<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof PatchError) throw patchStatus(error);
    throw error;
  }
}

function patchStatus({ status, code, message, causes }: PatchError): StatusError {
  return new StatusError(status, code, message, causes.length > 0 ? { causes } : undefined);
}

/** PATCH with a JSON, merge or strategic merge patch: applied to the newest object, again when that changes meanwhile. */
export function patchObject(context: RestContext, target: Target, contentType: string, body: Uint8Array, options: WriteOptions): Promise<CachedObject> {
  const { object: patch, duplicates } = decode(contentType, body);
  const seen = target.view ?? target.definition;
  return updateObject(context, target, (stored) => {
    const current = seen.view?.fromStored(stored) ?? stored;
    const object = patched(() => applyPatch({ contentType, current, patch, schema: seen.schema.startsWith('io.k8s.') ? seen.schema : '' }));
    fit(seen, object, { ...options, warnings: dedupe(options.warnings) }, duplicates);
    ensureMetadata(object);
    if (object.metadata.resourceVersion === '') delete object.metadata.resourceVersion;
    return seen.view?.toStored(object) ?? object;
  }, options);
}

/** A patch that is applied again after a conflict warns once. */
function dedupe(warnings: string[]): string[] {
  warnings.length = 0;
  return warnings;
}
