import { childField } from '../schema/table.ts';
import type { FieldSchema } from '../schema/types.ts';
import { orderElements } from './element-order.ts';
import { cloneJson, isObject, jsonEquals } from './json.ts';
import type { JsonObject } from './json.ts';
import { PatchError } from './patch-error.ts';

const PATCH = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';

/**
 * Kubernetes' strategic merge patch: like RFC 7396, but lists whose schema says `patchStrategy: merge` are merged, element by
 * element, by their merge key. Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/LIST`,
 * `$deleteFromPrimitiveList/LIST`.
 *
 * Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function applyStrategicMergePatch(current: JsonObject, patch: unknown, schema: string): JsonObject {
  if (!isObject(patch)) throw new PatchError('BadRequest', 'a strategic merge patch must be a JSON object');
  return mergeObject(cloneJson(current), cloneJson(patch), { ref: schema });
}

/** Merges `patch` into `target`, in place; both are copies of our own. */
function mergeObject(target: JsonObject, patch: JsonObject, schema: FieldSchema | undefined): JsonObject {
  const directive = patch[PATCH];
  if (directive === 'replace') return without(patch, PATCH);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive);

  retainKeys(target, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key === PATCH || key === RETAIN_KEYS || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) removePrimitives(target, key.slice(DELETE_FROM.length), value);
    else mergeField(target, key, value, childField(schema, key), patch[`${ORDER}${key}`]);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    const list = target[name];
    // A list named in the patch was put in order when it was merged.
    if (!(name in patch) && Array.isArray(list)) target[name] = orderElements(list, asList(order, key), list, keyOf(childField(schema, name)?.mergeKey));
  }
  return target;
}

function mergeField(target: JsonObject, key: string, value: unknown, field: FieldSchema | undefined, order: unknown): void {
  const current = target[key];
  if (value === null) {
    Reflect.deleteProperty(target, key);
  } else if (isObject(value)) {
    // Into an empty object too: nulls and directives of the patch must not be stored.
    const base = isObject(current) && !strategies(field).includes('replace') ? current : {};
    const deletes = value[PATCH] === 'delete';
    if (deletes) Reflect.deleteProperty(target, key);
    else setOwn(target, key, mergeObject(base, value, field));
  } else if (Array.isArray(value)) {
    const merges = strategies(field).includes('merge');
    const base = Array.isArray(current) && merges ? current : [];
    setOwn(target, key, merges ? mergeList(base, value, field, key, order) : replaceList(value));
  } else {
    setOwn(target, key, value);
  }
}

/** `annotations` may hold any key. */
function setOwn(target: JsonObject, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function mergeList(current: unknown[], patch: unknown[], field: FieldSchema | undefined, name: string, order: unknown): unknown[] {
  const mergeKey = field?.mergeKey;
  if (mergeKey === undefined) return mergePrimitives(current, patch, name, order);
  const items = patch.map((item) => {
    if (!isObject(item)) throw new PatchError('BadRequest', `${name}: the elements of this list are objects, merged by ${mergeKey}; the patch has ${JSON.stringify(item)}`);
    return item;
  });
  if (items.some((item) => item[PATCH] === 'replace')) return items.filter((item) => item[PATCH] !== 'replace');

  const merged = [...current];
  const plain: JsonObject[] = [];
  for (const item of items) {
    const key = item[mergeKey];
    if (key === undefined) throw new PatchError('Invalid', `${name}: map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const at = merged.findIndex((other) => isObject(other) && jsonEquals(other[mergeKey], key));
    const found = merged[at];
    if (item[PATCH] === 'delete') {
      removeMatching(merged, mergeKey, key);
    } else if (isObject(found)) {
      merged[at] = mergeObject(found, without(item, PATCH), field?.items);
      plain.push(item);
    } else {
      merged.push(mergeObject({}, without(item, PATCH), field?.items));
      plain.push(item);
    }
  }
  return orderElements(merged, order === undefined ? plain : asList(order, `${ORDER}${name}`), current, keyOf(mergeKey));
}

function removeMatching(list: unknown[], mergeKey: string, key: unknown): void {
  for (let index = list.length - 1; index >= 0; index--) {
    const item = list[index];
    if (isObject(item) && jsonEquals(item[mergeKey], key)) list.splice(index, 1);
  }
}

function mergePrimitives(current: unknown[], patch: unknown[], name: string, order: unknown): unknown[] {
  const merged = [...current];
  for (const item of patch) if (!merged.some((other) => jsonEquals(other, item))) merged.push(item);
  return orderElements(merged, order === undefined ? patch : asList(order, `${ORDER}${name}`), current, keyOf(undefined));
}

function removePrimitives(target: JsonObject, name: string, value: unknown): void {
  const list = target[name];
  const removed = asList(value, `${DELETE_FROM}${name}`);
  if (Array.isArray(list)) target[name] = list.filter((item) => !removed.some((other) => jsonEquals(item, other)));
}

/** Elements of a list that is replaced may carry directives of clients that thought it was merged. */
function replaceList(list: unknown[]): unknown[] {
  return list.filter((item) => !(isObject(item) && PATCH in item)).map((item) => (isObject(item) ? mergeObject({}, item, undefined) : item));
}

/** `$retainKeys: [a, b]`: every other key of the target goes; a patch that sets other keys contradicts itself. */
function retainKeys(target: JsonObject, patch: JsonObject): void {
  const keep = patch[RETAIN_KEYS];
  if (keep === undefined) return;
  const names = new Set(asList(keep, RETAIN_KEYS));
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !names.has(key));
  if (stray !== undefined) throw new PatchError('BadRequest', `${stray} is not present in ${RETAIN_KEYS}: the patch sets a key that it does not retain`);
  for (const key of Object.keys(target)) if (!names.has(key)) Reflect.deleteProperty(target, key);
}

/** What identifies an element: its merge key, or the element itself. */
function keyOf(mergeKey: string | undefined): (item: unknown) => unknown {
  return (item) => (mergeKey !== undefined && isObject(item) ? item[mergeKey] : item);
}

function strategies(field: FieldSchema | undefined): readonly string[] {
  return field?.patchStrategy?.split(',') ?? [];
}

function asList(value: unknown, directive: string): unknown[] {
  if (!Array.isArray(value)) throw new PatchError('BadRequest', `invalid patch format of ${directive}: a list is expected`);
  return value;
}

function without(object: JsonObject, key: string): JsonObject {
  const copy = { ...object };
  Reflect.deleteProperty(copy, key);
  return copy;
}

function unknownDirective(directive: unknown): PatchError {
  return new PatchError('BadRequest', `unknown patch type found: ${JSON.stringify(directive)}; $patch is replace, delete or merge`);
}
