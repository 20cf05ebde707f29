import { CachedObject, storedText } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import { alreadyExistsError, invalidError, modifiedError, notFoundError } from '../http/status-error.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { StoreError } from '../store/store.ts';
import type { Operation } from '../store/store.ts';
import { openClaims } from './claims.ts';
import type { RestContext, Target } from './context.ts';

export const placeOf = (definition: ResourceDefinition): { group: string; resource: string } => ({ group: definition.group, resource: definition.plural });
export const cacheOf = (context: RestContext, definition: ResourceDefinition): ResourceCache => context.cache.resource(placeOf(definition));
export const keyOf = ({ definition, namespace, name }: Target): string => objectKey(placeOf(definition), definition.namespaced ? namespace : undefined, name);

/** The stored object, or 404. */
export function existing(context: RestContext, target: Target): CachedObject {
  const found = cacheOf(context, target.definition).get(keyOf(target));
  if (found === undefined) throw notFoundError(target.definition, target.name);
  return found;
}

const holderOf = ({ definition, namespace, name }: Target): string => `${definition.plural}/${namespace ?? ''}/${name}`;
/** Two writers may pick the same free address in the same instant; one of them picks again. */
const allocationAttempts = 8;
/** With etcd a write comes back through the watch; a client that reads right after its write must see it. */
const ownWriteMs = 5000;

type Write = Readonly<{ target: Target; object: ApiObject; old?: CachedObject; dryRun: boolean }>;

/** Allocates and commits a new or changed object. The object is changed in place by the allocation. */
export async function commitObject(context: RestContext, { target, object, old, dryRun }: Write): Promise<CachedObject> {
  const { definition } = target;
  const key = keyOf(target);
  for (let attempt = 1; ; attempt += 1) {
    const candidate = definition.allocate === undefined ? object : structuredClone(object);
    const claims = openClaims(context.cache, holderOf(target));
    const errors = definition.allocate?.(candidate, { operation: old === undefined ? 'create' : 'update', ...(old && { old: old.object }), claims, settings: context.settings }) ?? [];
    if (errors.length > 0) throw invalidError(definition, target.name, errors);
    const text = storedText(candidate);
    if (dryRun) return new CachedObject(key, text, old?.revision ?? context.cache.revision);
    const operations: Operation[] = [{ key, expectedRevision: old?.revision ?? 0, put: text }, ...claims.operations()];
    try {
      const revision = await context.store.commit(operations);
      await context.cache.waitFor(revision, ownWriteMs);
      return new CachedObject(key, text, revision);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'Conflict') throw error;
      await context.cache.catchUp();
      if (error.key === key) throw old === undefined ? existsError(context, target, key) : modifiedError(definition, target.name);
      if (attempt === allocationAttempts) throw modifiedError(definition, target.name);
    }
  }
}

function existsError(context: RestContext, target: Target, key: string): Error {
  const deleting = cacheOf(context, target.definition).get(key)?.object.metadata.deletionTimestamp !== undefined;
  return alreadyExistsError(target.definition, target.name, deleting ? 'object is being deleted: ' : '');
}

/** Removes an object and gives its claims back. False when it changed meanwhile: look again. */
export async function commitRemoval(context: RestContext, target: Target, old: CachedObject): Promise<boolean> {
  const claims = openClaims(context.cache, holderOf(target));
  target.definition.allocate?.(old.copy(), { operation: 'delete', old: old.object, claims, settings: context.settings });
  try {
    const revision = await context.store.commit([{ key: old.key, expectedRevision: old.revision, delete: true }, ...claims.operations()]);
    await context.cache.waitFor(revision, ownWriteMs);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'Conflict') {
      await context.cache.catchUp();
      return false;
    }
    throw error;
  }
}
