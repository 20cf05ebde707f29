import { CachedObject, storedText } from '../cache/cached-object.ts';
import { badRequest, conflictError, forbiddenError, StatusError, successStatus } from '../http/status-error.ts';
import type { Status } from '../http/status-error.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import type { RestContext, Target, WriteOptions } from './context.ts';
import { timestamp } from './metadata.ts';
import { commitObject, commitRemoval, existing } from './write.ts';

export type DeleteOptions = Readonly<{
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  orphanDependents?: boolean;
  preconditions?: Readonly<{ uid?: string; resourceVersion?: string }>;
}>;

const attempts = 10;
/** The cluster itself lives in these. */
const keptNamespaces = new Set(['default', 'kube-system', 'kube-public']);

/** Namespaces are held by `spec.finalizers` too. */
const specFinalizers = (definition: ResourceDefinition, object: Readonly<ApiObject>): readonly string[] =>
  (definition.kind === 'Namespace' && definition.group === '' ? (object['spec'] as { finalizers?: string[] } | undefined)?.finalizers ?? [] : []);

/** An object that was asked to go and that nothing holds any more. */
export function isFinished(definition: ResourceDefinition, object: Readonly<ApiObject>): boolean {
  const { metadata } = object;
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0
    && specFinalizers(definition, object).length === 0;
}

/** Removes an object whose last holder has just let go; answers with its last state. */
export async function removeObject(context: RestContext, target: Target, old: CachedObject, last: ApiObject, options: WriteOptions): Promise<CachedObject> {
  const result = new CachedObject(old.key, storedText(last), old.revision);
  if (options.dryRun) return result;
  if (!await commitRemoval(context, target, old)) throw conflictError(target.definition, target.name, 'the object has been modified; please apply your changes to the latest version and try again');
  return result;
}

/** DELETE: removes at once, or marks the object and leaves the rest to finalizers or the kubelet. */
export async function deleteObject(context: RestContext, target: Target, request: DeleteOptions, options: WriteOptions): Promise<Status | CachedObject> {
  const policy = policyOf(request);
  if (target.definition.kind === 'Namespace' && target.definition.group === '' && keptNamespaces.has(target.name)) throw forbiddenError(target.definition, target.name, 'this namespace may not be deleted');
  for (let attempt = 1; ; attempt += 1) {
    const old = existing(context, target);
    checkPreconditions(target, old, request.preconditions);
    for (const admit of context.admissions) admit(context, { operation: 'delete', definition: target.definition, namespace: target.namespace, object: old.object, old: old.object, user: options.user, dryRun: options.dryRun });
    const marked = mark(context, target.definition, old, request, policy);
    const { uid } = old.object.metadata;
    if (isFinished(target.definition, marked)) {
      if (options.dryRun || await commitRemoval(context, target, old)) return successStatus(target.definition, target.name, uid);
    } else {
      if (storedText(marked) === storedText(old.object)) return old;
      try {
        return await commitObject(context, { target, object: marked, old, dryRun: options.dryRun });
      } catch (error) {
        if (!(error instanceof StatusError) || error.reason !== 'Conflict') throw error;
      }
    }
    if (attempt === attempts) throw conflictError(target.definition, target.name, 'the object changes too fast; please try again');
  }
}

function policyOf({ propagationPolicy, orphanDependents }: DeleteOptions): string | undefined {
  if (propagationPolicy !== undefined && orphanDependents !== undefined) throw badRequest('orphanDependents and propagationPolicy cannot be both set');
  if (orphanDependents !== undefined) return orphanDependents ? 'Orphan' : 'Background';
  if (propagationPolicy !== undefined && !['Orphan', 'Foreground', 'Background'].includes(propagationPolicy)) {
    throw badRequest(`invalid propagationPolicy "${propagationPolicy}"; supported values: "Background", "Foreground", "Orphan"`);
  }
  return propagationPolicy;
}

function checkPreconditions({ definition, name }: Target, { object, revision }: CachedObject, wanted: DeleteOptions['preconditions']): void {
  if (wanted?.uid !== undefined && wanted.uid !== object.metadata.uid) throw conflictError(definition, name, `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${String(object.metadata.uid)}`);
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== String(revision)) throw conflictError(definition, name, `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${revision}`);
}

function mark(context: RestContext, definition: ResourceDefinition, old: CachedObject, request: DeleteOptions, policy: string | undefined): ApiObject {
  const object = old.copy();
  const { metadata } = object;
  const finalizers = new Set(metadata.finalizers);
  if (policy !== undefined) {
    finalizers.delete('orphan');
    finalizers.delete('foregroundDeletion');
    if (policy === 'Orphan') finalizers.add('orphan');
    if (policy === 'Foreground') finalizers.add('foregroundDeletion');
  }
  if (finalizers.size > 0) metadata.finalizers = [...finalizers];
  else delete metadata.finalizers;
  const nowMs = context.now();
  const { gracePeriodSeconds } = definition.deletion?.(object, request.gracePeriodSeconds) ?? { gracePeriodSeconds: 0 };
  const running = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp === undefined || (running !== undefined && gracePeriodSeconds < running)) {
    const askedMs = metadata.deletionTimestamp === undefined ? nowMs : Date.parse(metadata.deletionTimestamp) - (running ?? 0) * 1000;
    metadata.deletionTimestamp = timestamp(Math.max(askedMs + gracePeriodSeconds * 1000, gracePeriodSeconds === 0 ? 0 : nowMs));
    metadata.deletionGracePeriodSeconds = gracePeriodSeconds;
    if (metadata.generation !== undefined && metadata.deletionTimestamp !== old.object.metadata.deletionTimestamp && old.object.metadata.deletionTimestamp === undefined) metadata.generation += 1;
  }
  if (definition.kind === 'Namespace' && definition.group === '') object['status'] = { ...(object['status'] as object | undefined), phase: 'Terminating' };
  return object;
}
