import { defineResource } from '../registry/definition.ts';
import type { ApiObject } from '../registry/definition.ts';
import { event } from './event.ts';

/** The same fields under the names of events.k8s.io/v1; all others are called alike. */
const names: readonly (readonly [core: string, view: string])[] = [
  ['involvedObject', 'regarding'], ['message', 'note'], ['reportingComponent', 'reportingController'], ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'], ['lastTimestamp', 'deprecatedLastTimestamp'], ['count', 'deprecatedCount'],
];
const toView = new Map(names);
const toCore = new Map(names.map(([core, view]) => [view, core] as const));

/** Events as events.k8s.io/v1 shows them; they are stored as core/v1 Events, and every event is in both. */
export const eventView = defineResource<ApiObject>({
  group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', singular: 'event', shortNames: ['ev'],
  namespaced: true,
  schema: 'io.k8s.api.events.v1.Event',
  view: {
    of: event,
    fromStored: (object) => renamed(object, 'events.k8s.io/v1', toView),
    toStored: (object) => renamed(object, 'v1', toCore),
  },
  selectableFields: {
    ...event.selectableFields,
    'regarding.kind': (object) => about(object, 'kind'),
    'regarding.namespace': (object) => about(object, 'namespace'),
    'regarding.name': (object) => about(object, 'name'),
    'regarding.uid': (object) => about(object, 'uid'),
    reportingController: (object) => event.selectableFields?.['reportingComponent']?.(object) ?? '',
  },
});

function renamed(object: ApiObject, apiVersion: string, map: ReadonlyMap<string, string>): ApiObject {
  const entries = Object.entries(object).map(([key, value]) => [map.get(key) ?? key, value] as const);
  return { ...(Object.fromEntries(entries) as ApiObject), apiVersion };
}

function about(object: ApiObject, key: string): string {
  return event.selectableFields?.[`involvedObject.${key}`]?.(object) ?? '';
}
