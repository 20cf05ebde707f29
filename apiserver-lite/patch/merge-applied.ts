import type { FieldSchema } from '../schema/types.ts';
import { orderElements } from './element-order.ts';
import { isEmptySet } from './field-set.ts';
import type { FieldSet } from './field-set.ts';
import { cloneJson, isObject } from './json.ts';
import type { JsonObject } from './json.ts';
import { childrenOf, elementStep } from './typed-fields.ts';

/** The live object with everything that was applied put over it, part by part where the schema allows it. */
export function mergeApplied(live: unknown, applied: unknown, schema: FieldSchema | undefined): unknown {
  const children = childrenOf(applied, schema);
  if (children === undefined || live === undefined || live === null) return cloneJson(applied);
  if (Array.isArray(applied)) return Array.isArray(live) ? mergeLists(live, applied, schema) : cloneJson(applied);
  if (!isObject(live)) return cloneJson(applied);
  const result: JsonObject = { ...live };
  for (const child of children) {
    const key = child.step.slice(2);
    if (child.value !== null) result[key] = mergeApplied(live[key], child.value, child.schema);
  }
  return result;
}

function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: FieldSchema | undefined): unknown[] {
  const step = elementStep(schema);
  if (step === undefined) return cloneJson([...applied]);
  const byStep = new Map(live.map((item) => [step(item), item]));
  for (const item of applied) byStep.set(step(item), mergeApplied(byStep.get(step(item)), item, schema?.items));
  return orderElements([...byStep.values()], applied, live, step);
}

/** Takes out what its manager owned before (`last`) and nobody owns now (`all`). */
export function pruneFields(value: unknown, schema: FieldSchema | undefined, last: FieldSet, all: FieldSet, keys: readonly string[] = []): unknown {
  const children = childrenOf(value, schema);
  if (children === undefined) return value;
  const kept = children.flatMap((child) => {
    const before = last.children.get(child.step);
    // The keys of a list element stay as long as the element does.
    if (before === undefined || keys.includes(child.step.slice(2))) return [child];
    const now = all.children.get(child.step) ?? { member: false, children: new Map<string, FieldSet>() };
    if (before.member && isEmptySet(now)) return [];
    const pruned = pruneFields(child.value, child.schema, before, now, Array.isArray(value) ? schema?.listMapKeys : []);
    return becameEmpty(child.value, pruned) && !now.member && isEmptySet(now) ? [] : [{ ...child, value: pruned }];
  });
  if (Array.isArray(value)) return kept.map((child) => child.value);
  return Object.fromEntries(kept.map((child) => [child.step.slice(2), child.value]));
}

function becameEmpty(before: unknown, after: unknown): boolean {
  const size = (value: unknown): number => (Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 1);
  return size(before) > 0 && size(after) === 0;
}
