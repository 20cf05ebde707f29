import { isObject } from './json.ts';
import type { JsonObject } from './json.ts';

/**
 * A set of paths as managedFields keeps it (fieldsV1): a tree whose steps are `f:NAME` (a field or map key), `k:{"name":"x"}`
 * (an element of a list map) and `v:"x"` (an element of a set). `member` says whether the path up to here is itself in the set.
 */
export type FieldSet = { member: boolean; readonly children: Map<string, FieldSet> };

export function emptySet(): FieldSet {
  return { member: false, children: new Map() };
}

export function isEmptySet(set: FieldSet): boolean {
  if (set.member) return false;
  for (const child of set.children.values()) if (!isEmptySet(child)) return false;
  return true;
}

export function insertPath(set: FieldSet, path: readonly string[]): void {
  let node = set;
  for (const step of path) {
    let child = node.children.get(step);
    if (child === undefined) node.children.set(step, (child = emptySet()));
    node = child;
  }
  node.member = true;
}

/** The results of these three share parts with their arguments: sets that took part in them must not be changed any more. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (b.children.size === 0 && !b.member) return a;
  if (a.children.size === 0 && !a.member) return b;
  const children = new Map(a.children);
  for (const [step, child] of b.children) {
    const other = children.get(step);
    children.set(step, other === undefined ? child : union(other, child));
  }
  return { member: a.member || b.member, children };
}

export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.children.size === 0 && !b.member) return a;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const other = b.children.get(step);
    const rest = other === undefined ? child : difference(child, other);
    if (!isEmptySet(rest)) children.set(step, rest);
  }
  return { member: a.member && !b.member, children };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const other = b.children.get(step);
    const shared = other === undefined ? NOTHING : intersection(child, other);
    if (!isEmptySet(shared)) children.set(step, shared);
  }
  return { member: a.member && b.member, children };
}

const NOTHING: FieldSet = { member: false, children: new Map() };

/** Whether two sets hold the same paths. */
export function sameSet(a: FieldSet, b: FieldSet): boolean {
  return isEmptySet(difference(a, b)) && isEmptySet(difference(b, a));
}

/** `{"f:spec":{"f:replicas":{}}}`; a path that is in the set and has children carries `".": {}`. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const result: JsonObject = {};
  if (set.member && set.children.size > 0) result['.'] = {};
  for (const step of [...set.children.keys()].sort()) {
    const child = set.children.get(step);
    if (child !== undefined) result[step] = toFieldsV1(child);
  }
  return result;
}

/** Whether a set and stored fields have a path in common; looks only where both go. */
export function touches(set: FieldSet, fields: unknown): boolean {
  if (!isObject(fields)) return false;
  if (set.member) {
    const keys = Object.keys(fields);
    if (keys.length === 0 || '.' in fields) return true;
  }
  for (const [step, child] of set.children) if (fields[step] !== undefined && touches(child, fields[step])) return true;
  return false;
}

export function parseFieldsV1(fields: unknown): FieldSet {
  const set = emptySet();
  if (!isObject(fields)) return set;
  const steps = Object.entries(fields).filter(([step]) => step !== '.');
  set.member = '.' in fields || steps.length === 0;
  for (const [step, child] of steps) set.children.set(step, parseFieldsV1(child));
  return set;
}

/** Every path of the set, as people write it: `.spec.template.spec.containers[name="nginx"].image`. */
export function pathTexts(set: FieldSet, prefix = ''): string[] {
  const own = set.member && prefix !== '' ? [prefix] : [];
  return [...own, ...[...set.children].flatMap(([step, child]) => pathTexts(child, prefix + stepText(step)))];
}

export function pathText(path: readonly string[]): string {
  return path.map(stepText).join('');
}

function stepText(step: string): string {
  const rest = step.slice(2);
  if (step.startsWith('f:')) return `.${rest}`;
  if (step.startsWith('v:')) return `[=${rest}]`;
  if (!step.startsWith('k:')) return `[${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
