import type { Call } from '../http/call.ts';
import { badRequest, invalidError, methodNotAllowed } from '../http/status-error.ts';
import { targetOf, verbOf } from '../http/resource-handler.ts';
import { sendAnswer } from '../http/respond.ts';
import { applyPatch } from '../patch/index.ts';
import type { ApiObject, ScalePaths } from '../registry/definition.ts';
import { decode, decodeObject, toObject } from '../rest/decode.ts';
import { patched } from '../rest/patch.ts';
import { updateObject } from '../rest/update.ts';
import { existing } from '../rest/write.ts';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale', schema: 'io.k8s.api.autoscaling.v1.Scale' };

export function readPath(object: Readonly<Record<string, unknown>>, path: string): unknown {
  return path.split('.').filter((part) => part !== '').reduce<unknown>((value, part) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined), object);
}

function writePath(object: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split('.').filter((part) => part !== '');
  const last = parts.pop();
  let at = object;
  for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>;
  if (last !== undefined) at[last] = value;
}

type SelectorObject = { matchLabels?: Record<string, string>; matchExpressions?: { key: string; operator: string; values?: string[] }[] };

/** A label selector object as the text form that Scale carries. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  const { matchLabels, matchExpressions, ...plain } = (selector ?? {}) as Record<string, string> & SelectorObject;
  const labels = matchLabels ?? (matchExpressions === undefined ? plain : {});
  const words: Readonly<Record<string, string>> = { In: 'in', NotIn: 'notin' };
  return [
    ...Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    ...(matchExpressions ?? []).map(({ key, operator, values = [] }) => (operator === 'Exists' ? key : operator === 'DoesNotExist' ? `!${key}` : `${key} ${words[operator] ?? 'in'} (${values.join(',')})`)),
  ].join(',');
}

function scaleOf(object: Readonly<ApiObject>, paths: ScalePaths): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale', apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }), ...(creationTimestamp !== undefined && { creationTimestamp }) },
    spec: { replicas: readPath(object, paths.specReplicas) ?? 0 },
    status: { replicas: readPath(object, paths.statusReplicas) ?? 0, selector: paths.labelSelector === '' ? '' : selectorText(readPath(object, paths.labelSelector)) },
  };
}

/** GET, PUT and PATCH of `.../scale`: replicas through one small object that autoscalers and `kubectl scale` share. */
export async function handleScale(call: Call): Promise<void> {
  const { context, definition, request, response, options } = call;
  const paths = definition.subresources?.scale;
  if (paths === undefined) throw methodNotAllowed();
  const verb = verbOf(call);
  const target = targetOf(call);
  const answer = (object: Readonly<ApiObject>): Promise<void> => sendAnswer(request, response, { code: 200, json: JSON.stringify(scaleOf(object, paths)), warnings: options.warnings });
  if (verb === 'get') return answer(existing(context, target).object);
  if (verb !== 'update' && verb !== 'patch') throw methodNotAllowed();
  const body = await call.body();
  const wanted = verb === 'update' ? decodeObject(scaleKind, call.contentType, body, options) : undefined;
  const patch = verb === 'patch' ? decode(call.contentType, body) : undefined;
  const changed = await updateObject(context, target, (current) => {
    const scale = wanted ?? toObject(scaleKind, patched(() => applyPatch({ contentType: call.contentType, current: scaleOf(current, paths), patch: patch?.object, schema: scaleKind.schema })), options, patch?.duplicates);
    if (scale.metadata.name !== '' && scale.metadata.name !== target.name) throw badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${target.name})`);
    const replicas = readPath(scale, 'spec.replicas') ?? 0;
    if (Number(replicas) < 0) throw invalidError({ ...scaleKind, plural: 'scales' }, target.name, [{ type: 'Invalid', field: 'spec.replicas', badValue: replicas, detail: 'must be greater than or equal to 0' }]);
    writePath(current, paths.specReplicas, replicas);
    const { resourceVersion } = scale.metadata;
    if (wanted !== undefined) {
      if ((resourceVersion ?? '') === '') delete current.metadata.resourceVersion;
      else current.metadata.resourceVersion = resourceVersion ?? '';
    }
    return current;
  }, options);
  return answer(changed.object);
}
