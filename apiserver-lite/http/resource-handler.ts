import { APPLY_PATCH_TYPE } from '../patch/index.ts';
import { applyObject } from '../rest/apply.ts';
import { createObject } from '../rest/create.ts';
import { CachedObject } from '../cache/cached-object.ts';
import { decode, decodeObject } from '../rest/decode.ts';
import { deleteObject } from '../rest/delete.ts';
import type { DeleteOptions } from '../rest/delete.ts';
import { listObjects, parseResourceVersion, reachRevision } from '../rest/list.ts';
import { patchObject } from '../rest/patch.ts';
import { renderList, renderOne } from '../rest/table.ts';
import { putObject } from '../rest/update.ts';
import { startWatch } from '../rest/watch.ts';
import { existing, keyOf } from '../rest/write.ts';
import type { Target } from '../rest/context.ts';
import type { ApiObject } from '../registry/definition.ts';
import { verbsOf } from '../registry/registry.ts';
import type { Call } from './call.ts';
import { sendAnswer } from './respond.ts';
import { badRequest, methodNotAllowed } from './status-error.ts';
import { openWatchSink } from './watch-response.ts';

/** The verb of the Kubernetes API that a request means. */
export function verbOf({ request, info, query }: Pick<Call, 'request' | 'info' | 'query'>): string {
  const named = info.name !== undefined;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      if (named) return 'get';
      return query.get('watch') === 'true' || query.get('watch') === '1' ? 'watch' : 'list';
    case 'POST': return 'create';
    case 'PUT': return 'update';
    case 'PATCH': return 'patch';
    case 'DELETE': return named ? 'delete' : 'deletecollection';
    default: return '';
  }
}

/** Collections and objects themselves, and their `status`. */
export async function handleResource(asked: Call): Promise<void> {
  const call = throughView(asked);
  const { definition, info } = call;
  const verb = verbOf(call);
  const status = info.subresource === 'status';
  if (!verbsOf(definition).includes(verb) || (status && !['get', 'update', 'patch'].includes(verb))) throw methodNotAllowed();
  if (definition.namespaced && call.namespace === undefined && ['create', 'get', 'update', 'patch', 'delete', 'deletecollection'].includes(verb)) throw methodNotAllowed();
  switch (verb) {
    case 'get': return get(call);
    case 'list': return list(call);
    case 'watch': return watch(call);
    case 'create': return create(call);
    case 'update': return put(call);
    case 'patch': return patch(call);
    case 'delete': return remove(call);
    case 'deletecollection': return removeCollection(call);
    default: throw methodNotAllowed();
  }
}

export function targetOf({ definition, namespace, info, form: { view } }: Call, subresource = info.subresource): Target {
  return { definition, namespace, name: info.name ?? '', ...(subresource !== undefined && { subresource }), ...(view !== undefined && { view }) };
}

/** A call for a view works on the stored kind; the form remembers how to show objects. */
function throughView(call: Call): Call {
  const { definition, form } = call;
  if (definition.view === undefined) return call;
  const stored = definition.view.of;
  const { columns = stored.columns, selectableFields = stored.selectableFields } = definition;
  return { ...call, definition: { ...stored, ...(columns && { columns }), ...(selectableFields && { selectableFields }) }, form: { ...form, view: definition } };
}

async function readObject({ definition, form: { view }, contentType, body, options }: Call): Promise<ApiObject> {
  const object = decodeObject(view ?? definition, contentType, await body(), options);
  return view?.view?.toStored(object) ?? object;
}

export function answerObject(call: Call, code: number, object: CachedObject): Promise<void> {
  const { request, response, definition, form, context, options } = call;
  return sendAnswer(request, response, { code, json: renderOne(definition, object, form, context.now()), warnings: options.warnings });
}

async function get(call: Call): Promise<void> {
  await reachRevision(call.context, parseResourceVersion(call.query));
  return answerObject(call, 200, existing(call.context, targetOf(call)));
}

async function list(call: Call): Promise<void> {
  const { context, definition, namespace, query, form, request, response } = call;
  const { objects, metadata } = await listObjects(context, definition, namespace, query);
  return sendAnswer(request, response, { code: 200, json: renderList(definition, objects, metadata, form, context.now()) });
}

async function watch(call: Call): Promise<void> {
  const { context, definition, namespace, query, form, response, signal } = call;
  const running = await startWatch(context, definition, namespace, query, form, () => openWatchSink(response));
  const stop = (): void => running.stop();
  response.once('close', stop);
  signal.addEventListener('abort', () => { stop(); response.end(); }, { once: true });
}

async function create(call: Call): Promise<void> {
  if (call.info.name !== undefined) throw methodNotAllowed();
  const object = await readObject(call);
  return answerObject(call, 201, await createObject(call.context, call.definition, call.namespace, object, call.options));
}

async function put(call: Call): Promise<void> {
  if (call.info.name === undefined) throw methodNotAllowed();
  const object = await readObject(call);
  return answerObject(call, 200, await putObject(call.context, targetOf(call), object, call.options));
}

async function patch(call: Call): Promise<void> {
  if (call.info.name === undefined) throw methodNotAllowed();
  if (call.contentType.startsWith(APPLY_PATCH_TYPE)) {
    const { object, created } = await applyObject(call.context, targetOf(call), { force: call.query.get('force') === 'true', fieldManager: call.query.get('fieldManager'), contentType: call.contentType, body: await call.body() }, call.options);
    return answerObject(call, created ? 201 : 200, object);
  }
  return answerObject(call, 200, await patchObject(call.context, targetOf(call), call.contentType, await call.body(), call.options));
}

/** DeleteOptions come as a body, as query parameters, or not at all. */
export async function deleteOptions({ body, contentType, query }: Call): Promise<DeleteOptions> {
  const bytes = await body();
  const given = bytes.length === 0 ? {} : decode(contentType, bytes).object as Record<string, unknown>;
  const options: Record<string, unknown> = {};
  for (const key of ['gracePeriodSeconds', 'propagationPolicy', 'orphanDependents', 'preconditions', 'dryRun']) if (given[key] !== undefined && given[key] !== null) options[key] = given[key];
  if (query.has('gracePeriodSeconds')) options['gracePeriodSeconds'] = Number(query.get('gracePeriodSeconds'));
  if (query.has('propagationPolicy')) options['propagationPolicy'] = query.get('propagationPolicy') ?? '';
  if (query.has('orphanDependents')) options['orphanDependents'] = query.get('orphanDependents') === 'true';
  const grace = options['gracePeriodSeconds'];
  if (grace !== undefined && !(typeof grace === 'number' && Number.isInteger(grace))) throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: must be a whole number of seconds`);
  return options;
}

async function remove(call: Call): Promise<void> {
  const options = await deleteOptions(call);
  const dryRun = call.options.dryRun || Array.isArray((options as { dryRun?: unknown }).dryRun);
  const result = await deleteObject(call.context, targetOf(call), options, { ...call.options, dryRun });
  if (result instanceof CachedObject) return answerObject(call, 200, result);
  return sendAnswer(call.request, call.response, { code: 200, json: JSON.stringify(result), warnings: call.options.warnings });
}

async function removeCollection(call: Call): Promise<void> {
  const { context, definition, namespace, query } = call;
  const options = await deleteOptions(call);
  const { objects, metadata } = await listObjects(context, definition, namespace, query);
  await Promise.all(objects.map(async (cached) => {
    const { name, namespace: own } = cached.object.metadata;
    const target: Target = { definition, namespace: own, name };
    if (context.cache.resource({ group: definition.group, resource: definition.plural }).get(keyOf(target)) !== undefined) await deleteObject(context, target, options, call.options);
  }));
  return sendAnswer(call.request, call.response, { code: 200, json: renderList(definition, objects, metadata, { as: 'object' }, context.now()) });
}
