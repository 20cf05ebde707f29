import { quantityValue } from '@podwire/kube-client';
import type { Pod, ResourceQuota, Service } from 'kubernetes-types/core/v1.js';
import type { ApiObject, GroupResource } from '../registry/definition.ts';
import type { Loose } from '../kinds/common/loose.ts';
import { qosClass } from '../kinds/common/qos.ts';

/** What one object uses of each resource that a quota can bound. */
export type Usage = ReadonlyMap<string, number>;

/** Names under which simple kinds were counted before `count/RESOURCE.GROUP` existed. */
const plainCounts = new Set(['configmaps', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services']);

export function usageOf({ group, resource }: GroupResource, object: Readonly<ApiObject>): Usage {
  const usage = new Map<string, number>();
  usage.set(`count/${group === '' ? resource : `${resource}.${group}`}`, 1);
  if (group !== '') return usage;
  if (resource === 'pods') return podUsage(object as Loose<Pod>, usage);
  if (plainCounts.has(resource)) usage.set(resource, 1);
  if (resource === 'services') serviceUsage(object as Loose<Service>, usage);
  if (resource === 'persistentvolumeclaims') {
    const { spec } = object as { spec?: { resources?: { requests?: Record<string, string> } } };
    usage.set('requests.storage', quantityValue(spec?.resources?.requests?.['storage']) ?? 0);
  }
  return usage;
}

function podUsage(pod: Loose<Pod>, usage: Map<string, number>): Usage {
  // A pod that has ended uses nothing but its place in the store.
  if (hasEnded(pod)) return usage;
  usage.set('pods', 1);
  for (const key of ['requests', 'limits'] as const) {
    for (const { resources } of pod.spec?.containers ?? []) {
      for (const [name, text] of Object.entries(resources?.[key] ?? {})) {
        const value = quantityValue(text) ?? 0;
        for (const counted of key === 'requests' ? [name, `requests.${name}`] : [`limits.${name}`]) usage.set(counted, (usage.get(counted) ?? 0) + value);
      }
    }
  }
  return usage;
}

function serviceUsage({ spec }: Loose<Service>, usage: Map<string, number>): void {
  const ports = (spec?.ports ?? []).length;
  if (spec?.type === 'NodePort' || (spec?.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)) usage.set('services.nodeports', ports);
  if (spec?.type === 'LoadBalancer') usage.set('services.loadbalancers', 1);
}

function hasEnded({ status }: Loose<Pod>): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Whether a quota with scopes looks at this object: scopes are about pods. */
export function inScope(quota: Loose<ResourceQuota>, place: GroupResource, object: Readonly<ApiObject>): boolean {
  const expressions = quota.spec?.scopeSelector?.matchExpressions ?? [];
  const scopes = quota.spec?.scopes ?? [];
  if (scopes.length === 0 && expressions.length === 0) return true;
  if (place.group !== '' || place.resource !== 'pods') return false;
  const pod = object as Loose<Pod>;
  return scopes.every((scope) => podInScope(scope, pod)) && expressions.every(({ scopeName = '', operator, values = [] }) => {
    if (scopeName !== 'PriorityClass') return podInScope(scopeName, pod);
    const name = pod.spec?.priorityClassName ?? '';
    switch (operator) {
      case 'In': return values.includes(name);
      case 'NotIn': return !values.includes(name);
      case 'DoesNotExist': return name === '';
      default: return name !== '';
    }
  });
}

function podInScope(scope: string, pod: Loose<Pod>): boolean {
  const bestEffort = qosClass(pod.spec ?? {}) === 'BestEffort';
  const terminating = pod.spec?.activeDeadlineSeconds !== undefined;
  switch (scope) {
    case 'BestEffort': return bestEffort;
    case 'NotBestEffort': return !bestEffort;
    case 'Terminating': return terminating;
    case 'NotTerminating': return !terminating;
    case 'PriorityClass': return (pod.spec?.priorityClassName ?? '') !== '';
    default: return true;
  }
}

/** `1500m`, `2`, `1Gi`: the shortest way to write a used amount. */
export function formatQuantity(value: number): string {
  if (!Number.isInteger(value)) return `${Math.ceil(value * 1000)}m`;
  for (const [unit, size] of [['Ti', 2 ** 40], ['Gi', 2 ** 30], ['Mi', 2 ** 20], ['Ki', 2 ** 10]] as const) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return String(value);
}
