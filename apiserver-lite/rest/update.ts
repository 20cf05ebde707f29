import type { CachedObject } from '../cache/cached-object.ts';
import { badRequest, conflictError, invalidError, modifiedError, StatusError } from '../http/status-error.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import type { RestContext, Target, WriteOptions } from './context.ts';
import { isFinished, removeObject } from './delete.ts';
import { sameJson } from './equality.ts';
import { validateMetadata } from './metadata.ts';
import { recordManager } from './managers.ts';
import { commitObject, existing } from './write.ts';

/** Turns the stored object (own copy) into the wanted one; may run again after a conflict. */
export type Change = (current: ApiObject) => ApiObject;

const attempts = 10;

/**
 * Read, change, check, commit. A change that names no resourceVersion is repeated on the newer object when
 * another writer comes between; one that names it gets a 409.
 */
export async function updateObject(context: RestContext, target: Target, change: Change, options: WriteOptions): Promise<CachedObject> {
  for (let attempt = 1; ; attempt += 1) {
    const old = existing(context, target);
    const wanted = change(old.copy());
    try {
      return await replace(context, target, old, wanted, options);
    } catch (error) {
      const pinned = wanted.metadata.resourceVersion !== undefined && wanted.metadata.resourceVersion !== String(old.revision);
      if (!(error instanceof StatusError) || error.reason !== 'Conflict' || pinned || options.dryRun || attempt === attempts) throw error;
      if (context.cache.resource({ group: target.definition.group, resource: target.definition.plural }).get(old.key)?.revision === old.revision) throw error;
    }
  }
}

/** PUT: the client's whole object. */
export function putObject(context: RestContext, target: Target, object: ApiObject, options: WriteOptions): Promise<CachedObject> {
  const { metadata } = object;
  if (metadata.name === '') metadata.name = target.name;
  if (metadata.name !== target.name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`);
  if (target.namespace !== undefined) {
    if ((metadata.namespace ?? target.namespace) !== target.namespace) throw badRequest(`the namespace of the object (${String(metadata.namespace)}) does not match the namespace on the URL (${target.namespace})`);
    metadata.namespace = target.namespace;
  }
  const pinned = (metadata.resourceVersion ?? '') === '' ? undefined : metadata.resourceVersion;
  return updateObject(context, target, () => {
    const copy = structuredClone(object);
    if (pinned === undefined) delete copy.metadata.resourceVersion;
    return copy;
  }, options);
}

async function replace(context: RestContext, target: Target, old: CachedObject, wanted: ApiObject, options: WriteOptions): Promise<CachedObject> {
  const { definition } = target;
  const before = old.object;
  const { resourceVersion, uid } = wanted.metadata;
  if (uid !== undefined && uid !== before.metadata.uid) throw conflictError(definition, target.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${String(before.metadata.uid)}`);
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== String(old.revision)) throw modifiedError(definition, target.name);
  const object = merged(target, wanted, old);
  const nowMs = context.now();
  definition.defaults?.(object);
  if (target.subresource === undefined) definition.prepareUpdate?.(object, before);
  bumpGeneration(definition, object, before);
  for (const admit of context.admissions) {
    admit(context, { operation: 'update', definition, namespace: target.namespace, object, old: before, user: options.user, dryRun: options.dryRun, ...(target.subresource !== undefined && { subresource: target.subresource }) });
  }
  const errors = [
    ...validateMetadata(definition, object), ...immutableMetadata(wanted, before),
    ...(definition.validate?.(object, { operation: 'update', old: before, nowMs, ...(target.subresource !== undefined && { subresource: target.subresource }) }) ?? []),
  ];
  if (errors.length > 0) throw invalidError(definition, target.name, errors);
  if (target.subresource === undefined) options.warnings.push(...(definition.warnings?.(object, before) ?? []));
  const unchanged = sameContent(object, before, options.managersRecorded === true);
  if (!unchanged && options.managersRecorded !== true) recordManager(context, target, object, before, options);
  if (isFinished(definition, object)) return removeObject(context, target, old, object, options);
  if (unchanged) return old;
  return commitObject(context, { target, object, old, dryRun: options.dryRun });
}

/** Equal but for the revision, and, when they are about to be written anyway, but for managedFields. */
function sameContent(a: Readonly<ApiObject>, b: Readonly<ApiObject>, withManagers: boolean): boolean {
  const plain = ({ metadata: { resourceVersion: _, managedFields, ...metadata }, ...rest }: Readonly<ApiObject>): unknown =>
    ({ ...rest, metadata: withManagers ? { ...metadata, managedFields } : metadata });
  return sameJson(plain(a), plain(b));
}

/** What this kind of write may change, on top of what the server keeps. */
function merged({ definition, subresource }: Target, wanted: ApiObject, old: CachedObject): ApiObject {
  const before = old.object;
  const kept = before.metadata;
  if (subresource === 'status') {
    const { status } = wanted;
    const metadata: ApiObject['metadata'] = { ...kept };
    if (wanted.metadata.annotations !== undefined) metadata.annotations = wanted.metadata.annotations;
    if (definition.kind === 'Pod' && wanted.metadata.labels !== undefined) metadata.labels = wanted.metadata.labels;
    const { status: _, ...rest } = old.copy();
    return { ...rest, metadata, ...(status !== undefined && { status }) };
  }
  const metadata: ApiObject['metadata'] = { ...wanted.metadata };
  for (const key of ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'namespace', 'generateName'] as const) {
    if (kept[key] === undefined) Reflect.deleteProperty(metadata, key);
    else Object.assign(metadata, { [key]: kept[key] });
  }
  delete metadata['selfLink'];
  const object: ApiObject = { ...wanted, metadata };
  // A binding also notes in the status that the pod has its node.
  if (definition.subresources?.status === true && subresource !== 'binding') {
    if (before['status'] === undefined) delete object['status'];
    else object['status'] = structuredClone(before['status']);
  }
  return object;
}

function bumpGeneration(definition: ResourceDefinition, object: ApiObject, before: Readonly<ApiObject>): void {
  if (before.metadata.generation === undefined) return;
  const changed = !sameJson(contentOf(definition, object), contentOf(definition, before));
  object.metadata.generation = before.metadata.generation + (changed ? 1 : 0);
}

/** Everything but metadata and status: what `generation` counts changes of. */
function contentOf(_: ResourceDefinition, object: Readonly<ApiObject>): unknown {
  const { metadata: _metadata, status: _status, ...content } = object;
  return content;
}

function immutableMetadata(wanted: ApiObject, before: Readonly<ApiObject>): FieldError[] {
  const errors: FieldError[] = [];
  if (before.metadata.deletionTimestamp !== undefined) {
    const had = new Set(before.metadata.finalizers ?? []);
    const added = (wanted.metadata.finalizers ?? []).filter((finalizer) => !had.has(finalizer));
    if (added.length > 0) errors.push({ type: 'Forbidden', field: 'metadata.finalizers', detail: `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((each) => JSON.stringify(each)).join(', ')}}` });
  }
  if (wanted.metadata.name !== before.metadata.name) errors.push(invalid('metadata.name', wanted.metadata.name, 'field is immutable'));
  return errors;
}
