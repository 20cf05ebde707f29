import type { FieldSchema } from '../schema/types.ts';
import { difference, emptySet, intersection, isEmptySet, parseFieldsV1, pathTexts, sameSet, toFieldsV1, touches, union } from './field-set.ts';
import type { FieldSet } from './field-set.ts';
import { isObject } from './json.ts';
import type { JsonObject } from './json.ts';
import { mergeApplied, pruneFields } from './merge-applied.ts';
import { PatchError } from './patch-error.ts';
import type { PatchCause } from './patch-error.ts';
import { compareFields, duplicateElement, fieldSetOf } from './typed-fields.ts';

/** Who owns which fields: the entries of metadata.managedFields. */
type Manager = Readonly<{
  manager: string; operation: 'Apply' | 'Update'; apiVersion: string; subresource: string; time: string; set: FieldSet;
  /** The entry this was read from, while it still says the same: not written anew. */
  stored?: JsonObject;
}>;

type Actor = Readonly<{
  /** The fieldManager query parameter. */
  manager: string;
  apiVersion: string;
  /** Schema name of the object; '' for custom resources: maps by key, lists as a whole. */
  schema: string;
  /** 'status', 'scale'... when the write comes through a subresource. */
  subresource?: string;
  /** RFC 3339, whole seconds. */
  now: string;
  /** The main endpoint of a kind with a status subresource cannot own status. */
  hasStatus: boolean;
}>;

export type ApplyRequest<T extends JsonObject = JsonObject> = Actor & Readonly<{
  /** Undefined when the object does not exist yet. */
  current: T | undefined;
  /** The applied configuration, complete as its manager sees it. */
  applied: T;
  force: boolean;
}>;

export type UpdateRequest<T extends JsonObject = JsonObject> = Actor & Readonly<{ before: T | undefined; after: T }>;

/** Updates by more managers than this are forgotten one by one, oldest first, under this name. */
const MAX_UPDATE_MANAGERS = 10;
const ANCIENT = 'ancient-changes';

/**
 * Server-side apply: merges, takes out what this manager no longer applies, and records the owners. Throws PatchError 'Conflict'
 * when another manager owns a field that would change, unless `force`.
 */
export function serverSideApply<T extends JsonObject>(request: ApplyRequest<T>): T {
  const { applied, current, schema, manager, force } = request;
  const root: FieldSchema = schema === '' ? {} : { ref: schema };
  if (managedFieldsOf(applied).length > 0) throw new PatchError('BadRequest', 'metadata.managedFields must be nil');
  const duplicate = duplicateElement(applied, root);
  if (duplicate !== undefined) throw new PatchError('BadRequest', `failed to create typed patch object: ${duplicate}`);
  const live: JsonObject = current ?? {};
  let managers = current === undefined ? [] : managersBefore(request, live, root);

  const own = ownEntry(request, 'Apply', fieldSetOf(withoutNulls(applied), root));
  const merged = mergeApplied(live, withoutNulls(applied), root) as JsonObject;
  const { changed } = compareFields(live, merged, root);
  const others = managers.filter((other) => !sameManager(other, own));
  const conflicts = others.map((other) => ({ other, set: intersection(other.set, changed) })).filter(({ set }) => !isEmptySet(set));
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);

  const last = managers.find((other) => sameManager(other, own));
  const next: Manager = last !== undefined && sameSet(last.set, own.set) ? { ...own, time: last.time } : own;
  managers = [...others.map((other) => (force ? without(other, changed) : other)), next].filter(ownsAnything);
  const all = managers.reduce((sum, other) => union(sum, other.set), emptySet());
  const pruned = last === undefined ? merged : pruneFields(merged, root, last.set, all) as JsonObject;
  const gone = compareFields(merged, pruned, root).removed;
  return withManagers(pruned as T, managers.map((other) => without(other, gone)).filter((other) => ownsAnything(other) || other.manager === manager));
}

/** Records who changed what in a plain write (create, update, patch). Returns `after` with new managedFields; nothing else differs. */
export function trackUpdate<T extends JsonObject>(request: UpdateRequest<T>): T {
  const { before, after, schema } = request;
  const root: FieldSchema = schema === '' ? {} : { ref: schema };
  const given = (after['metadata'] as JsonObject | undefined)?.['managedFields'];
  // An explicit empty list is how a client asks for a fresh start.
  const reset = Array.isArray(given) && (given.length === 0 || (given.length === 1 && isObject(given[0]) && Object.keys(given[0]).length === 0));
  if (reset && before !== undefined) return withManagers(after, []);
  const managers = parseManagers(managedFieldsOf(after).length > 0 ? managedFieldsOf(after) : managedFieldsOf(before ?? {}));

  const { changed: all, removed } = compareFields(before ?? {}, after, root);
  const changed = owned(all, request);
  const lost = union(changed, removed);
  if (isEmptySet(lost)) return withManagers(after, managers);
  const template = ownEntry(request, 'Update', emptySet());
  const last = managers.find((other) => sameManager(other, template));
  const set = union(difference(last?.set ?? emptySet(), removed), changed);
  const next: Manager = last !== undefined && sameSet(last.set, set) ? last : { ...template, set };
  const others = managers.filter((other) => !sameManager(other, template)).map((other) => without(other, lost));
  return withManagers(after, capped([...others, next].filter(ownsAnything)));
}

function ownEntry(actor: Actor, operation: 'Apply' | 'Update', set: FieldSet): Manager {
  return { manager: actor.manager, operation, apiVersion: actor.apiVersion, subresource: actor.subresource ?? '', time: actor.now, set: owned(set, actor) };
}

/** An object from before anybody applied: its fields belong to a manager of that name, so that the first apply sees conflicts. */
function managersBefore(request: ApplyRequest, live: JsonObject, root: FieldSchema): Manager[] {
  const known = parseManagers(managedFieldsOf(live));
  if (known.length > 0) return known;
  const set = compareFields({}, live, root).changed;
  return [{ ...ownEntry(request, 'Update', set), manager: 'before-first-apply' }];
}

const SERVER_STEPS = new Set(['f:apiVersion', 'f:kind']);
const SERVER_METADATA = new Set(['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map((name) => `f:${name}`));

/** The server's own fields belong to nobody; status only to those who write through the status subresource. */
function owned(set: FieldSet, { subresource, hasStatus }: Actor): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    if (SERVER_STEPS.has(step) || (hasStatus && step === 'f:status' && subresource !== 'status')) continue;
    if (subresource === 'status' && step !== 'f:status' && step !== 'f:metadata') continue;
    const own = step === 'f:metadata' ? ownMetadata(child) : child;
    if (!isEmptySet(own)) children.set(step, own);
  }
  return { member: false, children };
}

function ownMetadata({ children }: FieldSet): FieldSet {
  return { member: false, children: new Map([...children].filter(([step]) => !SERVER_METADATA.has(step))) };
}

function sameManager(a: Manager, b: Manager): boolean {
  return a.manager === b.manager && a.operation === b.operation && a.subresource === b.subresource && (a.operation === 'Apply' || a.apiVersion === b.apiVersion);
}

function without(manager: Manager, lost: FieldSet): Manager {
  if (manager.stored !== undefined && !touches(lost, manager.stored['fieldsV1'])) return manager;
  const { stored: _, ...rest } = manager;
  return { ...rest, set: difference(manager.set, lost) };
}

function ownsAnything(manager: Manager): boolean {
  return manager.stored !== undefined || !isEmptySet(manager.set);
}

function conflictError(conflicts: readonly { other: Manager; set: FieldSet }[]): PatchError {
  const causes: PatchCause[] = conflicts.flatMap(({ other, set }) => pathTexts(set).map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${managerText(other)}`, field })));
  const parts = conflicts.map(({ other, set }) => {
    const fields = pathTexts(set);
    return fields.length === 1 ? `conflict with ${managerText(other)}: ${fields[0] ?? ''}` : `conflicts with ${managerText(other)}:\n${fields.map((field) => `- ${field}`).join('\n')}`;
  });
  return new PatchError('Conflict', `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: ${parts.join('\n')}`, causes);
}

function managerText({ manager, subresource, apiVersion, operation, time }: Manager): string {
  const through = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(manager)}${through} using ${apiVersion}${operation === 'Update' && time !== '' ? ` at ${time}` : ''}`;
}

function managedFieldsOf(object: JsonObject): readonly JsonObject[] {
  const metadata = object['metadata'];
  const list: unknown = isObject(metadata) ? metadata['managedFields'] : undefined;
  return Array.isArray(list) ? list.filter(isObject).filter((entry) => Object.keys(entry).length > 0) : [];
}

function parseManagers(entries: readonly JsonObject[]): Manager[] {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return entries.map((entry) => ({
    manager: text(entry['manager']), operation: entry['operation'] === 'Apply' ? 'Apply' : 'Update', apiVersion: text(entry['apiVersion']),
    subresource: text(entry['subresource']), time: text(entry['time']), stored: entry,
    // Most entries are only carried along: their fields are read when somebody asks.
    get set() { return parsedFields(entry); },
  }));
}

const parsed = new WeakMap<JsonObject, FieldSet>();

function parsedFields(entry: JsonObject): FieldSet {
  let set = parsed.get(entry);
  if (set === undefined) {
    set = parseFieldsV1(entry['fieldsV1']);
    set.member = false;
    parsed.set(entry, set);
  }
  return set;
}

function withManagers<T extends JsonObject>(object: T, managers: readonly Manager[]): T {
  const order = (entry: Manager): string => `${entry.operation} ${entry.time} ${entry.manager} ${entry.subresource}`;
  const entries = [...managers].sort((a, b) => (order(a) < order(b) ? -1 : 1)).map((entry) => entry.stored ?? storedEntry(entry));
  const { managedFields: _, ...metadata } = (object['metadata'] ?? {}) as JsonObject;
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

function storedEntry({ manager, operation, apiVersion, time, set, subresource }: Manager): JsonObject {
  return { apiVersion, fieldsType: 'FieldsV1', fieldsV1: toFieldsV1(set), manager, operation, ...(subresource !== '' && { subresource }), ...(time !== '' && { time }) };
}

/** Keeps the number of Update entries bounded: the oldest are merged into one. */
function capped(managers: readonly Manager[]): Manager[] {
  const updates = managers.filter((other) => other.operation === 'Update').sort((a, b) => (a.time < b.time ? -1 : 1));
  const surplus = updates.slice(0, Math.max(0, updates.length - MAX_UPDATE_MANAGERS));
  const [first] = surplus;
  if (first === undefined) return [...managers];
  const merged: Manager = { ...first, manager: ANCIENT, subresource: '', set: surplus.reduce((sum, other) => union(sum, other.set), emptySet()) };
  return [...managers.filter((other) => !surplus.includes(other)), merged];
}

/** A null in an applied configuration says nothing; it is not a deletion. */
function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => withoutNulls(item)) as T;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null).map(([key, item]) => [key, withoutNulls(item)])) as T;
}
