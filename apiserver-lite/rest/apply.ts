import type { CachedObject } from '../cache/cached-object.ts';
import { badRequest, invalidError } from '../http/status-error.ts';
import { serverSideApply } from '../patch/index.ts';
import type { ApiObject } from '../registry/definition.ts';
import { required } from '../registry/field-error.ts';
import type { RestContext, Target, WriteOptions } from './context.ts';
import { createObject } from './create.ts';
import { decodeObject } from './decode.ts';
import { actorOf } from './managers.ts';
import { patched } from './patch.ts';
import { updateObject } from './update.ts';
import { cacheOf, keyOf } from './write.ts';

export type ApplyParameters = Readonly<{ force: boolean; fieldManager: string | null; contentType: string; body: Uint8Array }>;

/** PATCH with `application/apply-patch+yaml`: the manager's whole wish; creates the object when it is missing. */
export async function applyObject(context: RestContext, target: Target, { force, fieldManager, contentType, body }: ApplyParameters, options: WriteOptions): Promise<{ object: CachedObject; created: boolean }> {
  const { definition, namespace, name } = target;
  if ((fieldManager ?? '') === '') throw invalidError({ group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' }, '', [required('fieldManager', 'is required for apply patch')]);
  const seen = target.view ?? definition;
  const sent = decodeObject(seen, contentType, body, options);
  const applied = seen.view?.toStored(sent) ?? sent;
  const { metadata } = applied;
  if (metadata.name === '') metadata.name = name;
  if (metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (definition.namespaced && namespace !== undefined) {
    if ((metadata.namespace ?? namespace) !== namespace) throw badRequest(`the namespace of the object (${metadata.namespace ?? ''}) does not match the namespace on the URL (${namespace})`);
    metadata.namespace = namespace;
  }
  const merge = (current: ApiObject | undefined): ApiObject => patched(() => serverSideApply({ ...actorOf(context, target, options), current, applied: structuredClone(applied), force }));
  const recorded = { ...options, managersRecorded: true };
  if (cacheOf(context, definition).get(keyOf(target)) === undefined && target.subresource === undefined) {
    if ((metadata.resourceVersion ?? '') !== '') delete metadata.resourceVersion;
    return { object: await createObject(context, definition, namespace, merge(undefined), recorded), created: true };
  }
  return { object: await updateObject(context, target, merge, recorded), created: false };
}
