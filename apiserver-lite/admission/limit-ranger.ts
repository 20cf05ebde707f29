import { quantityValue } from '@podwire/kube-client';
import type { Container, LimitRange, LimitRangeItem, PodSpec } from 'kubernetes-types/core/v1.js';
import { forbiddenError } from '../http/status-error.ts';
import type { Loose } from '../kinds/common/loose.ts';
import { qosClass } from '../kinds/common/qos.ts';
import type { Admission } from '../rest/context.ts';
import { lookUpAll } from './lookup.ts';

const ranges = { group: '', resource: 'limitranges' };
type List = Readonly<Record<string, string | undefined>>;
type Item = Loose<LimitRangeItem>;

/** Fills in requests and limits that a namespace prescribes, and refuses pods outside its bounds; all faults at once. */
export const limitRanger: Admission = (context, { operation, definition, namespace, object }) => {
  if (operation !== 'create' || (definition.kind !== 'Pod' && definition.kind !== 'PersistentVolumeClaim')) return;
  const items = lookUpAll(context, ranges, namespace).flatMap((each) => (each as LimitRange).spec?.limits ?? []) as Item[];
  if (items.length === 0) return;
  const faults: string[] = [];
  if (definition.kind === 'PersistentVolumeClaim') {
    const requests = (object as { spec?: { resources?: { requests?: List } } }).spec?.resources?.requests ?? {};
    for (const item of items) if (item.type === 'PersistentVolumeClaim') faults.push(...outOfBounds('PersistentVolumeClaim', item, requests, requests));
  } else {
    const spec = object['spec'] as Loose<PodSpec> | undefined;
    if (spec === undefined) return;
    const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
    for (const item of items.filter((each) => each.type === 'Container')) {
      for (const container of containers) fillIn(container, item);
    }
    for (const item of items) {
      if (item.type === 'Container') for (const { resources } of containers) faults.push(...outOfBounds('Container', item, resources?.requests ?? {}, resources?.limits ?? {}));
      if (item.type === 'Pod') faults.push(...outOfBounds('Pod', item, sum(spec.containers, 'requests'), sum(spec.containers, 'limits')));
    }
    (object as { status?: { qosClass?: string } }).status = { ...(object as { status?: object }).status, qosClass: qosClass(spec) };
  }
  if (faults.length > 0) throw forbiddenError(definition, object.metadata.name, faults.length === 1 ? (faults[0] ?? '') : `[${faults.join(', ')}]`);
};

function fillIn(container: Loose<Container>, item: Item): void {
  const resources = (container.resources ??= {});
  const limits = { ...item.default, ...resources.limits };
  // A container with a limit of its own asks for that much, not for the namespace's default.
  const requests = { ...item.defaultRequest, ...resources.limits, ...resources.requests };
  if (Object.keys(limits).length > 0) resources.limits = limits;
  if (Object.keys(requests).length > 0) resources.requests = requests;
}

function outOfBounds(type: string, item: Item, requests: List, limits: List): string[] {
  const faults: string[] = [];
  const value = (list: List | undefined, name: string): number | undefined => (list?.[name] === undefined ? undefined : quantityValue(list[name]));
  for (const [name, text] of Object.entries(item.min ?? {})) {
    const [least, request] = [quantityValue(text) ?? 0, value(requests, name)];
    if (request === undefined) faults.push(`minimum ${name} usage per ${type} is ${String(text)}.  No request is specified`);
    else if (request < least) faults.push(`minimum ${name} usage per ${type} is ${String(text)}, but request is ${String(requests[name])}`);
  }
  for (const [name, text] of Object.entries(item.max ?? {})) {
    const [most, limit, request] = [quantityValue(text) ?? 0, value(limits, name), value(requests, name)];
    if (limit === undefined) faults.push(`maximum ${name} usage per ${type} is ${String(text)}.  No limit is specified`);
    else if (limit > most) faults.push(`maximum ${name} usage per ${type} is ${String(text)}, but limit is ${String(limits[name])}`);
    else if (request !== undefined && request > most) faults.push(`maximum ${name} usage per ${type} is ${String(text)}, but request is ${String(requests[name])}`);
  }
  for (const [name, text] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const [limit, request, ratio] = [value(limits, name), value(requests, name), quantityValue(text) ?? 0];
    if (limit === undefined || request === undefined || request === 0) faults.push(`${name} max limit to request ratio per ${type} is ${String(text)}, but no request or limit is specified`);
    else if (limit / request > ratio) faults.push(`${name} max limit to request ratio per ${type} is ${String(text)}, but provided ratio is ${(limit / request).toFixed(6)}`);
  }
  return faults;
}

function sum(containers: readonly Loose<Container>[] | undefined, key: 'requests' | 'limits'): List {
  const total: Record<string, number> = {};
  for (const { resources } of containers ?? []) {
    for (const [name, text] of Object.entries(resources?.[key] ?? {})) total[name] = (total[name] ?? 0) + (quantityValue(text) ?? 0);
  }
  return Object.fromEntries(Object.entries(total).map(([name, value]) => [name, String(value)]));
}
