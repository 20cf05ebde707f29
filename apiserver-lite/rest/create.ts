import { randomUUID } from 'node:crypto';
import type { CachedObject } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import { badRequest, forbiddenError, invalidError, notFoundError, StatusError } from '../http/status-error.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import type { RestContext, WriteOptions } from './context.ts';
import { generatedName, timestamp, validateMetadata } from './metadata.ts';
import { recordManager } from './managers.ts';
import { cacheOf, commitObject, keyOf } from './write.ts';

const namespaces = { group: '', resource: 'namespaces' };
const generatedNameAttempts = 8;

/** POST: checks, fills in, allocates, commits. `object` is the caller's own copy. */
export async function createObject(context: RestContext, definition: ResourceDefinition, namespace: string | undefined, object: ApiObject, options: WriteOptions): Promise<CachedObject> {
  const { metadata } = object;
  placeInNamespace(definition, namespace, object);
  if (definition.namespaced && namespace !== undefined && namespaceObject(context, namespace) === undefined) await context.cache.catchUp();
  requireLiveNamespace(context, definition, namespace, metadata.name);
  if ((metadata.resourceVersion ?? '') !== '') throw badRequest('resourceVersion should not be set on objects to be created');
  const base = metadata.generateName ?? '';
  const generated = metadata.name === '' && base !== '';
  for (let attempt = 1; ; attempt += 1) {
    const candidate = generated ? structuredClone(object) : object;
    if (generated) candidate.metadata.name = generatedName(base);
    const target = { definition, namespace, name: candidate.metadata.name };
    prepare(context, definition, namespace, candidate, options);
    try {
      if (options.dryRun && cacheOf(context, definition).get(keyOf(target)) !== undefined) throw new StatusError(409, 'AlreadyExists', `${definition.plural} "${target.name}" already exists`, { name: target.name, kind: definition.plural });
      return await commitObject(context, { target, object: candidate, dryRun: options.dryRun });
    } catch (error) {
      const retry = generated && error instanceof StatusError && error.reason === 'AlreadyExists' && attempt < generatedNameAttempts;
      if (!retry) throw error;
    }
  }
}

function placeInNamespace(definition: ResourceDefinition, namespace: string | undefined, { metadata }: ApiObject): void {
  if (!definition.namespaced || namespace === undefined) {
    if (metadata.namespace === '') delete metadata.namespace;
    return;
  }
  if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  metadata.namespace = namespace;
}

/** NamespaceLifecycle: nothing is created in a namespace that is missing or going away. */
function requireLiveNamespace(context: RestContext, definition: ResourceDefinition, namespace: string | undefined, name: string): void {
  if (!definition.namespaced || namespace === undefined) return;
  const found = namespaceObject(context, namespace);
  if (found === undefined) throw notFoundError({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
  if (found.object.metadata.deletionTimestamp === undefined) return;
  throw forbiddenError(definition, name, `unable to create new content in namespace ${namespace} because it is being terminated`,
    [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }]);
}

const namespaceObject = (context: RestContext, name: string): CachedObject | undefined => context.cache.resource(namespaces).get(objectKey(namespaces, undefined, name));

function prepare(context: RestContext, definition: ResourceDefinition, namespace: string | undefined, object: ApiObject, options: WriteOptions): void {
  const { metadata } = object;
  const nowMs = context.now();
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(nowMs);
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata['selfLink'];
  delete metadata.generation;
  if (definition.hasGeneration ?? object['spec'] !== undefined) metadata.generation = 1;
  // A node registers itself together with what it knows of itself.
  if (definition.subresources?.status === true && definition.kind !== 'Node') delete object['status'];
  definition.defaults?.(object);
  definition.prepareCreate?.(object);
  for (const admit of context.admissions) admit(context, { operation: 'create', definition, namespace, object, user: options.user, dryRun: options.dryRun });
  const errors = [...validateMetadata(definition, object), ...(definition.validate?.(object, { operation: 'create', nowMs }) ?? [])];
  if (errors.length > 0) throw invalidError(definition, metadata.name, errors);
  options.warnings.push(...(definition.warnings?.(object) ?? []));
  if (options.managersRecorded !== true) recordManager(context, { definition, namespace, name: metadata.name }, object, undefined, options);
}
