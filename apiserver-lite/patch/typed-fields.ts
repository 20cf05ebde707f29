import { childField, typeSchema } from '../schema/table.ts';
import type { FieldSchema } from '../schema/types.ts';
import { isObject, jsonEquals } from './json.ts';
import { emptySet, insertPath, pathText } from './field-set.ts';
import type { FieldSet } from './field-set.ts';

/** A part of an object with its step in a path and its schema. `declared`: a field of a type, not a key of a map. */
export type Child = Readonly<{ step: string; value: unknown; schema: FieldSchema | undefined; declared: boolean }>;

/** The parts that different managers may own one by one; undefined when the value is owned as a whole. */
export function childrenOf(value: unknown, schema: FieldSchema | undefined): Child[] | undefined {
  if (Array.isArray(value)) return listChildren(value, schema);
  if (!isObject(value)) return undefined;
  const type = schema?.ref === undefined ? undefined : typeSchema(schema.ref);
  if (schema?.mapType === 'atomic' || type?.mapType === 'atomic') return undefined;
  // A type without fields (RawExtension, JSON, FieldsV1) may hold anything and has one owner.
  if (type !== undefined && type.fields === undefined) return undefined;
  if (schema !== undefined && type === undefined && schema.values === undefined && schema.type === 'object') return undefined;
  const children: Child[] = [];
  for (const key of Object.keys(value)) {
    const child = value[key];
    if (child !== undefined) children.push({ step: `f:${key}`, value: child, schema: type?.fields === undefined ? childField(schema, key) : type.fields[key], declared: type?.fields?.[key] !== undefined });
  }
  return children;
}

function listChildren(list: readonly unknown[], schema: FieldSchema | undefined): Child[] | undefined {
  const step = elementStep(schema);
  if (step === undefined) return undefined;
  return list.map((item) => ({ step: step(item), value: item, schema: schema?.items, declared: true }));
}

/** How an element of this list is named in a path; undefined when the list is owned as a whole. */
export function elementStep(schema: FieldSchema | undefined): ((item: unknown) => string) | undefined {
  if (schema?.listType === 'set') return (item) => `v:${JSON.stringify(item)}`;
  const keys = schema?.listMapKeys;
  if (schema?.listType !== 'map' || keys === undefined) return undefined;
  const sorted = keys.length === 1 ? keys : [...keys].sort();
  return (item) => {
    const found = isObject(item) ? item : {};
    const named = sorted.map((key) => `${JSON.stringify(key)}:${JSON.stringify(found[key] ?? childField(schema.items, key)?.default ?? null)}`);
    return `k:{${named.join(',')}}`;
  };
}

/** The first list in which two elements have one name, as `.spec.containers: duplicate entries for key [name="c"]`; undefined when there is none. */
export function duplicateElement(value: unknown, schema: FieldSchema | undefined, path: readonly string[] = []): string | undefined {
  const seen = new Set<string>();
  for (const child of childrenOf(value, schema) ?? []) {
    if (seen.has(child.step)) return `${pathText(path)}: duplicate entries for key ${pathText([child.step])}`;
    seen.add(child.step);
    const below = duplicateElement(child.value, child.schema, [...path, child.step]);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** The fields that somebody who applies this object claims. */
export function fieldSetOf(value: unknown, schema: FieldSchema | undefined): FieldSet {
  const set = emptySet();
  collect(set, [], value, schema);
  return set;
}

function collect(set: FieldSet, path: readonly string[], value: unknown, schema: FieldSchema | undefined): void {
  const children = childrenOf(value, schema);
  if (children === undefined) {
    if (path.length > 0) insertPath(set, path);
    return;
  }
  for (const child of children) {
    const at = [...path, child.step];
    const empty = child.value === null || (isObject(child.value) && Object.keys(child.value).length === 0);
    if (empty || !child.declared || !child.step.startsWith('f:')) insertPath(set, at);
    if (!empty) collect(set, at, child.value, child.schema);
  }
}

export type Comparison = Readonly<{
  /** Added or given another value. */
  changed: FieldSet;
  removed: FieldSet;
}>;

/** Which fields differ between two versions of an object. */
export function compareFields(before: unknown, after: unknown, schema: FieldSchema | undefined): Comparison {
  const { changed, removed } = compare(before, after, schema);
  if (changed !== undefined) changed.member = false;
  if (removed !== undefined) removed.member = false;
  return { changed: changed ?? emptySet(), removed: removed ?? emptySet() };
}

/** The parts of the result that one value adds; undefined stands for an empty set, so that equal parts cost nothing. */
type Difference = { changed: FieldSet | undefined; removed: FieldSet | undefined };
const SAME: Readonly<Difference> = { changed: undefined, removed: undefined };

function compare(before: unknown, after: unknown, schema: FieldSchema | undefined): Difference {
  const [a, b] = [before ?? undefined, after ?? undefined];
  if (a === b) return SAME;
  if ((a === undefined || typeof a !== 'object') && (b === undefined || typeof b !== 'object')) return whole(b);
  if (a === undefined) return { changed: everything(b, schema), removed: undefined };
  if (b === undefined) return { changed: undefined, removed: everything(a, schema) };
  const left = childrenOf(a, schema);
  const right = childrenOf(b, schema);
  if (left === undefined || right === undefined) return jsonEquals(a, b) ? SAME : whole(b);
  const result: Difference = { changed: undefined, removed: undefined };
  const others = new Map(right.map((child) => [child.step, child]));
  for (const child of left) {
    const other = others.get(child.step);
    others.delete(child.step);
    add(result, child.step, compare(child.value, other?.value ?? absent(child, b), child.schema));
  }
  for (const child of others.values()) add(result, child.step, compare(absent(child, a), child.value, child.schema));
  return result;
}

/** A value that came or went with all that is in it. */
function everything(value: unknown, schema: FieldSchema | undefined): FieldSet {
  const set = member();
  for (const child of childrenOf(value, schema) ?? []) {
    if (child.value !== null) set.children.set(child.step, everything(child.value, child.schema));
  }
  return set;
}

/** Plain structs (default {}) of an object that is there are never absent: only what is inside them comes and goes. */
function absent({ schema, step }: Child, parent: unknown): unknown {
  return parent !== undefined && isObject(schema?.default) && step.startsWith('f:') ? {} : undefined;
}

function add(result: Difference, step: string, { changed, removed }: Difference): void {
  if (changed !== undefined) (result.changed ??= emptySet()).children.set(step, changed);
  if (removed !== undefined) (result.removed ??= emptySet()).children.set(step, removed);
}

function member(): FieldSet {
  return { member: true, children: new Map() };
}

/** `b` is the new value; absent means that the field is gone. */
function whole(b: unknown): Difference {
  if (b === undefined) return { changed: undefined, removed: member() };
  return { changed: member(), removed: undefined };
}
