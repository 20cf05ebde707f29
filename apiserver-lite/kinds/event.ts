import type { Event } from 'kubernetes-types/core/v1.js';
import { ageSince } from '../conventions/age.ts';
import { defineResource } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import { rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

type LooseEvent = Loose<Event>;
const CLUSTER_EVENT_NAMESPACES = ['', 'default', 'kube-system'];

export const event = defineResource<LooseEvent>({
  group: '', version: 'v1', kind: 'Event', plural: 'events', singular: 'event', shortNames: ['ev'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Event',
  columns: [
    rawColumn('Last Seen', (object, nowMs) => ageSince(lastSeen(object), nowMs)),
    rawColumn('Type', (object) => object.type ?? ''),
    rawColumn('Reason', (object) => object.reason ?? ''),
    rawColumn('Object', target),
    rawColumn('Subobject', (object) => object.involvedObject?.fieldPath ?? '', 1),
    rawColumn('Source', source, 1),
    rawColumn('Message', (object) => (object.message ?? '').trim()),
    rawColumn('First Seen', (object, nowMs) => ageSince(firstSeen(object), nowMs), 1),
    rawColumn('Count', (object) => String(count(object)), 1),
    { name: 'Name', type: 'string', format: 'name', priority: 1, cell: (object) => object.metadata?.name ?? '' },
  ],
  selectableFields: {
    'involvedObject.kind': (object) => object.involvedObject?.kind ?? '',
    'involvedObject.namespace': (object) => object.involvedObject?.namespace ?? '',
    'involvedObject.name': (object) => object.involvedObject?.name ?? '',
    'involvedObject.uid': (object) => object.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (object) => object.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (object) => object.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (object) => object.involvedObject?.fieldPath ?? '',
    reason: (object) => object.reason ?? '',
    reportingComponent: (object) => object.reportingComponent ?? object.source?.component ?? '',
    source: (object) => object.source?.component ?? object.reportingComponent ?? '',
    type: (object) => object.type ?? '',
  },
  hasGeneration: false,
  validate: (object) => {
    const faults = new Faults();
    const about = object.involvedObject?.namespace ?? '';
    const own = object.metadata?.namespace ?? '';
    // Events about objects outside namespaces lie in default.
    const fits = about === own || (about === '' && CLUSTER_EVENT_NAMESPACES.includes(own));
    if (!fits) faults.add(invalid('involvedObject.namespace', about, 'does not match event.namespace'));
    return faults.list;
  },
});

function firstSeen(object: LooseEvent): string | undefined {
  return object.firstTimestamp ?? object.eventTime ?? undefined;
}

function lastSeen(object: LooseEvent): string | undefined {
  return object.series?.lastObservedTime ?? object.lastTimestamp ?? firstSeen(object);
}

function count(object: LooseEvent): number {
  return object.series?.count ?? (object.count === undefined || object.count === 0 ? 1 : object.count);
}

function target({ involvedObject }: LooseEvent): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  const name = involvedObject?.name ?? '';
  return name === '' ? kind : `${kind}/${name}`;
}

function source(object: LooseEvent): string {
  const component = object.source?.component ?? '';
  const [who, host] = component === '' ? [object.reportingComponent, object.reportingInstance] : [component, object.source?.host];
  return [who ?? '', host ?? ''].filter((text, index) => index === 0 || text !== '').join(', ');
}
