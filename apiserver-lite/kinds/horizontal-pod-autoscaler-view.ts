import type { HorizontalPodAutoscaler as Old } from 'kubernetes-types/autoscaling/v1.js';
import type { HorizontalPodAutoscaler as New, MetricSpec } from 'kubernetes-types/autoscaling/v2.js';
import { defineResource } from '../registry/definition.ts';
import type { ApiObject } from '../registry/definition.ts';
import type { Loose } from './common/loose.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';

/** Where autoscaling/v1 keeps what it has no fields for. */
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';

/** autoscaling/v1 knows one metric, cpu: `kubectl autoscale` writes it. Stored as autoscaling/v2. */
export const horizontalPodAutoscalerView = defineResource<ApiObject>({
  group: 'autoscaling', version: 'v1', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers', singular: 'horizontalpodautoscaler', shortNames: ['hpa'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  subresources: { status: true },
  view: {
    of: horizontalPodAutoscaler,
    fromStored: (object) => fromStored(object as Loose<New>) as unknown as ApiObject,
    toStored: (object) => toStored(object as Loose<Old>) as unknown as ApiObject,
  },
});

function isCpu(metric: Loose<MetricSpec>): boolean {
  return metric.resource?.name === 'cpu' && metric.resource.target?.averageUtilization !== undefined;
}

function fromStored(object: Loose<New>): object {
  const { metrics = [], behavior, ...spec } = object.spec ?? {};
  const { currentMetrics = [], conditions: _, ...status } = object.status ?? {};
  const cpu = metrics.find(isCpu);
  const others = metrics.filter((metric) => metric !== cpu);
  const current = currentMetrics.find((metric) => metric.resource?.name === 'cpu')?.resource?.current?.averageUtilization;
  const annotations = {
    ...object.metadata?.annotations,
    ...(others.length > 0 && { [METRICS]: JSON.stringify(others) }),
    ...(behavior !== undefined && { [BEHAVIOR]: JSON.stringify(behavior) }),
  };
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: { ...object.metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...spec, ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu.resource?.target?.averageUtilization }) },
    status: { ...status, ...(current !== undefined && { currentCPUUtilizationPercentage: current }) },
  };
}

function toStored(object: Loose<Old>): object {
  const { targetCPUUtilizationPercentage: cpu, ...spec } = object.spec ?? {};
  const { currentCPUUtilizationPercentage: current, ...status } = object.status ?? {};
  const { [METRICS]: others, [BEHAVIOR]: behavior, ...annotations } = object.metadata?.annotations ?? {};
  const metrics = [
    ...(cpu === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } }]),
    ...listIn(others),
  ];
  const { annotations: _, ...metadata } = object.metadata ?? {};
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...spec, ...(metrics.length > 0 && { metrics }), ...(behavior !== undefined && { behavior: valueIn(behavior) }) },
    status: { ...status, ...(current !== undefined && { currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }] }) },
  };
}

function listIn(text: string | undefined): unknown[] {
  const value = text === undefined ? [] : valueIn(text);
  return Array.isArray(value) ? value : [];
}

/** Users can write into annotations: what is no JSON counts as absent. */
function valueIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
