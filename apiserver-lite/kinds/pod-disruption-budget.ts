import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { defineResource } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import { ageColumn, nameColumn, numberColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { checkIntOrPercent } from './common/int-or-percent.ts';
import { checkSelector } from './common/labels.ts';
import type { Loose } from './common/loose.ts';

export const podDisruptionBudget = defineResource<Loose<PodDisruptionBudget>>({
  group: 'policy', version: 'v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', singular: 'poddisruptionbudget', shortNames: ['pdb'],
  namespaced: true,
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  subresources: { status: true },
  columns: [
    nameColumn,
    rawColumn('Min Available', (object) => String(object.spec?.minAvailable ?? 'N/A')),
    rawColumn('Max Unavailable', (object) => String(object.spec?.maxUnavailable ?? 'N/A')),
    numberColumn('Allowed Disruptions', (object) => object.status?.disruptionsAllowed),
    ageColumn,
  ],
  prepareCreate: (object) => {
    object.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate: ({ spec = {} }, { subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) faults.add(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
    checkIntOrPercent(faults, 'spec.minAvailable', spec.minAvailable, 100);
    checkIntOrPercent(faults, 'spec.maxUnavailable', spec.maxUnavailable, 100);
    checkSelector(faults, 'spec.selector', spec.selector);
    faults.oneOf('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget']);
    return faults.list;
  },
});
