import type { PriorityClass } from 'kubernetes-types/scheduling/v1.js';
import { defineResource } from '../registry/definition.ts';
import { forbidden } from '../registry/field-error.ts';
import { ageColumn, nameColumn, numberColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

/** Above this only the system's own classes may lie. */
const HIGHEST_USER_PRIORITY = 1_000_000_000;

export const priorityClass = defineResource<Loose<PriorityClass>>({
  group: 'scheduling.k8s.io', version: 'v1', kind: 'PriorityClass', plural: 'priorityclasses', singular: 'priorityclass', shortNames: ['pc'],
  namespaced: false,
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  columns: [
    nameColumn,
    numberColumn('Value', (object) => object.value),
    rawColumn('Global-Default', (object) => String(object.globalDefault ?? false)),
    ageColumn,
    rawColumn('PreemptionPolicy', (object) => object.preemptionPolicy ?? ''),
  ],
  hasGeneration: true,
  defaults: (object) => {
    setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority');
    setDefault(object, 'value', 0);
  },
  validate: (object, { old }) => {
    const faults = new Faults();
    const name = object.metadata?.name ?? '';
    const system = name === 'system-node-critical' || name === 'system-cluster-critical';
    if (name.startsWith('system-') && !system) faults.add(forbidden('metadata.name', "priority class names with 'system-' prefix are reserved for system use only"));
    if ((object.value ?? 0) > HIGHEST_USER_PRIORITY && !system) faults.add(forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
    faults.oneOf('preemptionPolicy', object.preemptionPolicy, ['Never', 'PreemptLowerPriority']);
    if (old !== undefined) {
      if (object.value !== old.value) faults.add(forbidden('value', 'may not be changed in an update.'));
      if (object.preemptionPolicy !== old.preemptionPolicy) faults.add(forbidden('preemptionPolicy', 'may not be changed in an update.'));
    }
    return faults.list;
  },
});
