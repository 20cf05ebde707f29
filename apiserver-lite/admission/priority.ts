import type { Pod } from 'kubernetes-types/core/v1.js';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.js';
import { forbiddenError } from '../http/status-error.ts';
import type { Loose } from '../kinds/common/loose.ts';
import type { Admission, RestContext } from '../rest/context.ts';
import { lookUp, lookUpAll } from './lookup.ts';

const classes = { group: 'scheduling.k8s.io', resource: 'priorityclasses' };
type Resolved = Readonly<{ name: string; value: number; preemptionPolicy: string }>;

/** The two classes that every cluster has, whether anybody made objects of them or not. */
const builtIn: readonly Resolved[] = [
  { name: 'system-cluster-critical', value: 2_000_000_000, preemptionPolicy: 'PreemptLowerPriority' },
  { name: 'system-node-critical', value: 2_000_001_000, preemptionPolicy: 'PreemptLowerPriority' },
];

/** A pod's priority is a number when it is made: the class may change later, the pod does not. */
export const priority: Admission = (context, { operation, definition, object }) => {
  if (operation !== 'create' || definition.kind !== 'Pod') return;
  const { spec } = object as Loose<Pod>;
  if (spec === undefined) return;
  const asked = spec.priorityClassName ?? '';
  const found = asked === '' ? defaultClass(context) : named(context, asked);
  if (found === undefined && asked !== '') throw forbiddenError(definition, object.metadata.name, `no PriorityClass with name ${asked} was found`);
  const value = found?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== value) {
    throw forbiddenError(definition, object.metadata.name, 'the integer value of priority (' + `${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`);
  }
  if (found !== undefined) spec.priorityClassName = found.name;
  spec.priority = value;
  spec.preemptionPolicy ??= found?.preemptionPolicy ?? 'PreemptLowerPriority';
};

function named(context: RestContext, name: string): Resolved | undefined {
  const object = lookUp(context, classes, undefined, name);
  return object === undefined ? builtIn.find((each) => each.name === name) : resolve(object as unknown as PriorityClass);
}

/** The default class of the cluster; of several, the lowest, as kube-apiserver does. */
function defaultClass(context: RestContext): Resolved | undefined {
  return lookUpAll(context, classes).map((object) => object as unknown as PriorityClass)
    .filter((each) => each.globalDefault === true).map(resolve).sort((a, b) => a.value - b.value)[0];
}

function resolve({ metadata, value, preemptionPolicy }: PriorityClass): Resolved {
  return { name: metadata?.name ?? '', value, preemptionPolicy: preemptionPolicy ?? 'PreemptLowerPriority' };
}
