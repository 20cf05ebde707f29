import type { Call } from '../http/call.ts';
import { answerObject, targetOf, verbOf } from '../http/resource-handler.ts';
import { sendAnswer } from '../http/respond.ts';
import { conflictError, invalidError, methodNotAllowed } from '../http/status-error.ts';
import type { ApiObject } from '../registry/definition.ts';
import { required } from '../registry/field-error.ts';
import type { Target } from '../rest/context.ts';
import { decodeObject } from '../rest/decode.ts';
import { deleteObject } from '../rest/delete.ts';
import { timestamp } from '../rest/metadata.ts';
import { patchObject } from '../rest/patch.ts';
import { putObject, updateObject } from '../rest/update.ts';
import { existing } from '../rest/write.ts';
import { checkDisruption } from './disruption.ts';

const bindingKind = { group: '', version: 'v1', kind: 'Binding', schema: 'io.k8s.api.core.v1.Binding' };
const evictionKind = { group: 'policy', version: 'v1', kind: 'Eviction', schema: 'io.k8s.api.policy.v1.Eviction' };

type PodView = ApiObject & { spec: { nodeName?: string }; status?: { conditions?: Record<string, unknown>[] } };

const created = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

/** POST `.../pods/NAME/binding`: the scheduler's word; only once per pod. */
export async function handleBinding(call: Call): Promise<void> {
  if (verbOf(call) !== 'create') throw methodNotAllowed();
  const binding = decodeObject(bindingKind, call.contentType, await call.body(), call.options);
  const { name: nodeName } = (binding['target'] ?? {}) as { name?: string };
  const podName = call.info.name ?? binding.metadata.name;
  if (nodeName === undefined || nodeName === '') throw invalidError({ ...bindingKind, plural: 'bindings' }, podName, [required('target.name')]);
  const definition = call.context.registry.find('', 'v1', 'pods') ?? call.definition;
  const target: Target = { definition, namespace: call.namespace, name: podName, subresource: 'binding' };
  await updateObject(call.context, target, (current) => {
    const pod = current as PodView;
    if ((pod.spec.nodeName ?? '') !== '') throw conflictError({ group: '', plural: 'pods/binding', kind: 'Pod' }, podName, `pod ${podName} is already assigned to node "${pod.spec.nodeName ?? ''}"`);
    if (pod.metadata.deletionTimestamp !== undefined) throw conflictError({ group: '', plural: 'pods/binding', kind: 'Pod' }, podName, `pod ${podName} is being deleted, cannot be assigned to a host`);
    pod.spec.nodeName = nodeName;
    Object.assign(pod.metadata, merged('annotations', pod, binding), merged('labels', pod, binding));
    const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
    pod.status = { ...pod.status, conditions: [...conditions, { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timestamp(call.context.now()) }] };
    return pod;
  }, call.options);
  return sendAnswer(call.request, call.response, { code: 201, json: JSON.stringify(created) });
}

function merged(key: 'annotations' | 'labels', pod: ApiObject, binding: ApiObject): object {
  const added = binding.metadata[key];
  return added === undefined ? {} : { [key]: { ...pod.metadata[key], ...added } };
}

/** POST `.../pods/NAME/eviction`: a delete that respects PodDisruptionBudgets. */
export async function handleEviction(call: Call): Promise<void> {
  if (verbOf(call) !== 'create') throw methodNotAllowed();
  const eviction = decodeObject(evictionKind, call.contentType, await call.body(), call.options);
  const target = targetOf(call, undefined);
  const pod = existing(call.context, target).object;
  await checkDisruption(call.context, pod, call.options);
  await deleteObject(call.context, target, (eviction['deleteOptions'] ?? {}), call.options);
  return sendAnswer(call.request, call.response, { code: 201, json: JSON.stringify(created) });
}

/** GET, PUT, PATCH of `.../pods/NAME/ephemeralcontainers` and `/resize`: the pod, of which only that part may change. */
export async function handlePodPart(call: Call): Promise<void> {
  const target = targetOf(call);
  switch (verbOf(call)) {
    case 'get': return answerObject(call, 200, existing(call.context, target));
    case 'update': return answerObject(call, 200, await putObject(call.context, target, decodeObject(call.definition, call.contentType, await call.body(), call.options), call.options));
    case 'patch': return answerObject(call, 200, await patchObject(call.context, target, call.contentType, await call.body(), call.options));
    default: throw methodNotAllowed();
  }
}

/** PUT `.../namespaces/NAME/finalize`: the namespace controller lets go. */
export async function handleFinalize(call: Call): Promise<void> {
  if (verbOf(call) !== 'update') throw methodNotAllowed();
  const object = decodeObject(call.definition, call.contentType, await call.body(), call.options);
  return answerObject(call, 200, await putObject(call.context, targetOf(call), object, call.options));
}
