import type { HorizontalPodAutoscaler, MetricSpec } from 'kubernetes-types/autoscaling/v2.js';
import { defineResource } from '../registry/definition.ts';
import { invalid, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, numberColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

type Autoscaler = Loose<HorizontalPodAutoscaler>;

export const horizontalPodAutoscaler = defineResource<Autoscaler>({
  group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers', singular: 'horizontalpodautoscaler', shortNames: ['hpa'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`),
    rawColumn('Targets', targets),
    rawColumn('MinPods', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
    numberColumn('MaxPods', ({ spec }) => spec?.maxReplicas),
    numberColumn('Replicas', ({ status }) => status?.currentReplicas),
    ageColumn,
  ],
  hasGeneration: false,
  defaults: ({ spec }) => {
    if (spec === undefined) return;
    setDefault(spec, 'minReplicas', 1);
    if ((spec.metrics ?? []).length === 0) spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }];
  },
  prepareCreate: (object) => {
    object.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  validate: ({ spec = {} }, { subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    faults.required('spec.scaleTargetRef.kind', spec.scaleTargetRef?.kind);
    faults.required('spec.scaleTargetRef.name', spec.scaleTargetRef?.name);
    if (spec.minReplicas !== undefined && spec.minReplicas < 1) faults.add(invalid('spec.minReplicas', spec.minReplicas, 'must be greater than or equal to 1'));
    if ((spec.maxReplicas ?? 0) < 1) faults.add(invalid('spec.maxReplicas', spec.maxReplicas ?? 0, 'must be greater than 0'));
    else if ((spec.maxReplicas ?? 0) < (spec.minReplicas ?? 1)) faults.add(invalid('spec.maxReplicas', spec.maxReplicas, 'must be greater than or equal to `minReplicas`'));
    spec.metrics?.forEach((metric, index) => {
      faults.oneOf(`spec.metrics[${index}].type`, metric.type, ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']);
      if (metric.type === 'Resource' && metric.resource === undefined) faults.add(required(`spec.metrics[${index}].resource`, 'must populate information for the given metric source'));
    });
    return faults.list;
  },
});

function targets({ spec, status }: Autoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  return metrics.map((metric, index) => `${metricName(metric)}: ${current(status?.currentMetrics?.[index])}/${wanted(metric)}`).join(', ');
}

function metricName(metric: Loose<MetricSpec>): string {
  return metric.resource?.name ?? metric.pods?.metric?.name ?? metric.object?.metric?.name ?? metric.external?.metric?.name ?? metric.containerResource?.name ?? '';
}

function wanted(metric: Loose<MetricSpec>): string {
  const target = (metric.resource ?? metric.containerResource ?? metric.pods ?? metric.object ?? metric.external)?.target;
  return target?.averageUtilization === undefined ? target?.averageValue ?? target?.value ?? '<auto>' : `${target.averageUtilization}%`;
}

type Current = NonNullable<NonNullable<NonNullable<Autoscaler['status']>['currentMetrics']>[number]>;

function current(metric: Current | undefined): string {
  const value = (metric?.resource ?? metric?.containerResource ?? metric?.pods ?? metric?.object ?? metric?.external)?.current;
  if (value === undefined) return '<unknown>';
  return value.averageUtilization === undefined ? value.averageValue ?? value.value ?? '<unknown>' : `${value.averageUtilization}%`;
}
