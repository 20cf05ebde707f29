import { quantityValue } from '@podwire/kube-client';
import type { Pod, ResourceQuota } from 'kubernetes-types/core/v1.js';
import { forbiddenError } from '../http/status-error.ts';
import type { Loose } from '../kinds/common/loose.ts';
import type { ApiObject, GroupResource } from '../registry/definition.ts';
import type { Admission, AdmissionRequest, RestContext } from '../rest/context.ts';
import { lookUpAll } from './lookup.ts';
import { formatQuantity, inScope, usageOf } from './quota-usage.ts';
import type { Usage } from './quota-usage.ts';

const quotas = { group: '', resource: 'resourcequotas' };
/** Resources that a pod must name when a quota bounds them: else nobody knows what it will use. */
const COMPUTE = /^((requests|limits)\.)?(cpu|memory)$/;

/**
 * Refuses a write that would use more of something than the namespace's quotas allow. What is used is counted from the objects
 * that are there, so it is never out of date within one server.
 */
export const resourceQuota: Admission = (context, request) => {
  const { operation, definition, namespace, object, subresource } = request;
  if (operation === 'delete' || namespace === undefined || subresource !== undefined || definition.kind === 'ResourceQuota' || definition.kind === 'Event') return;
  const place = { group: definition.group, resource: definition.plural };
  for (const each of lookUpAll(context, quotas, namespace)) {
    const quota = each as unknown as Loose<ResourceQuota>;
    if (inScope(quota, place, object)) check(context, request, place, quota, namespace);
  }
};

function check(context: RestContext, { definition, object, old, operation }: AdmissionRequest, place: GroupResource, quota: Loose<ResourceQuota>, namespace: string): void {
  const hard = Object.entries(quota.spec?.hard ?? {});
  const name = quota.metadata?.name ?? '';
  const wanted = usageOf(place, object);
  const before = operation === 'update' && old !== undefined ? usageOf(place, old) : undefined;
  if (operation === 'create' && definition.kind === 'Pod') requireNamed(definition, object, name, hard.map(([resource]) => resource));
  const grows = hard.filter(([resource]) => (wanted.get(resource) ?? 0) > (before?.get(resource) ?? 0));
  if (grows.length === 0) return;
  const used = usedBy(context, place, quota, namespace, grows.map(([resource]) => resource), operation === 'update' ? object.metadata.name : undefined);
  const over = grows.filter(([resource, limit]) => (used.get(resource) ?? 0) + (wanted.get(resource) ?? 0) > (quantityValue(limit) ?? 0));
  if (over.length === 0) return;
  const list = (usage: Usage): string => over.map(([resource]) => `${resource}=${formatQuantity(usage.get(resource) ?? 0)}`).join(',');
  const limited = over.map(([resource, limit]) => `${resource}=${String(limit)}`).join(',');
  throw forbiddenError(definition, object.metadata.name, `exceeded quota: ${name}, requested: ${list(wanted)}, used: ${list(used)}, limited: ${limited}`);
}

function requireNamed(definition: AdmissionRequest['definition'], object: ApiObject, quota: string, resources: readonly string[]): void {
  const missing = resources.filter((resource) => COMPUTE.test(resource)).map((resource) => ({ resource, containers: withoutResource(object as Loose<Pod>, resource) })).filter(({ containers }) => containers.length > 0);
  if (missing.length === 0) return;
  throw forbiddenError(definition, object.metadata.name, `failed quota: ${quota}: must specify ${missing.map(({ resource, containers }) => `${resource} for: ${containers.join(',')}`).join('; ')}`);
}

function withoutResource(pod: Loose<Pod>, resource: string): string[] {
  const kind = resource.startsWith('limits.') ? 'limits' : 'requests';
  const key = resource.replace(/^(requests|limits)\./, '');
  return (pod.spec?.containers ?? []).filter(({ resources }) => resources?.[kind]?.[key] === undefined).map((container) => container.name ?? '');
}

function usedBy(context: RestContext, place: GroupResource, quota: Loose<ResourceQuota>, namespace: string, resources: readonly string[], except: string | undefined): Usage {
  const total = new Map<string, number>();
  for (const object of lookUpAll(context, place, namespace)) {
    if (object.metadata.name === except || !inScope(quota, place, object)) continue;
    const usage = usageOf(place, object);
    for (const resource of resources) total.set(resource, (total.get(resource) ?? 0) + (usage.get(resource) ?? 0));
  }
  return total;
}
