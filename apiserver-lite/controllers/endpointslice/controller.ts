// EndpointSlice: for every Service with a selector, slices that say where its pods are.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
import type { EndpointSlice, Pod, Service } from '@podwire/kube-client';
import { isAlreadyExists, isNotFound, keyOf, kubeTime, resources } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';
import type { ControllerContext } from '../shared/context.ts';
import { ownerReferenceTo } from '../shared/pods.ts';
import { matchesLabels } from '../shared/selector.ts';
import { addressTypesOf, endpointGroups } from './endpoints.ts';
import type { EndpointGroup } from './endpoints.ts';
import { withHints } from './hints.ts';
import { planSlices } from './pack.ts';

const serviceLabel = 'kubernetes.io/service-name';
const managerLabel = 'endpointslice.kubernetes.io/managed-by';
const manager = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';

/** Labels of a slice: the Service's own, without the reserved ones, and those that say whose slice it is. */
export function sliceLabels(service: Service): Record<string, string> {
  const { [headlessLabel]: _headless, [serviceLabel]: _name, [managerLabel]: _manager, ...own } = service.metadata?.labels ?? {};
  const headless: Record<string, string> = service.spec?.clusterIP === 'None' ? { [headlessLabel]: '' } : {};
  return { ...own, ...headless, [serviceLabel]: service.metadata?.name ?? '', [managerLabel]: manager };
}

/** What the slices should say, with one empty group per family that has no endpoint. */
export function desiredGroups(service: Service, pods: readonly Pod[], nodeByName: Parameters<typeof endpointGroups>[2]): readonly EndpointGroup[] {
  const groups = endpointGroups(service, pods, nodeByName).map((group) => ({ ...group, endpoints: withHints(service, group.endpoints) }));
  const empty = addressTypesOf(service).filter((family) => !groups.some(({ addressType }) => addressType === family));
  return [...groups, ...empty.map((addressType) => ({ addressType, ports: [], endpoints: [] }))];
}

export function startEndpointSliceController(context: ControllerContext): void {
  const services = context.informer(resources.services);
  const pods = context.informer(resources.pods);
  const slices = context.informer(resources.endpointSlices);
  const nodes = context.informer(resources.nodes);
  /** Slices as the last write left them, until the cache is as new: the next plan must not start from older ones. */
  const written = new Map<string, EndpointSlice>();

  const queue = context.queue('endpointslice', async (key) => {
    await Promise.all([services, pods, slices, nodes].map(async (informer) => informer.waitForSync(context.signal)));
    const service = services.store.byKey(key);
    // Slices of a Service that is gone are collected through their owner reference.
    if (service?.spec?.selector === undefined || service.spec.type === 'ExternalName' || service.metadata?.deletionTimestamp !== undefined) return;
    await sync(service);
  });

  function currentSlices(service: Service): EndpointSlice[] {
    const { name = '', namespace = '' } = service.metadata ?? {};
    const own = ({ metadata }: EndpointSlice): boolean => metadata?.labels?.[serviceLabel] === name && metadata.labels[managerLabel] === manager;
    const cached = new Map(slices.store.byIndex('namespace', namespace).filter(own).map((slice) => [keyOf(slice), slice]));
    for (const [key, slice] of written) {
      if (slice.metadata?.namespace === namespace && own(slice) && isNewer(slice, cached.get(key))) cached.set(key, slice);
    }
    return [...cached.values()].filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  }

  async function sync(service: Service): Promise<void> {
    const { namespace = '', name = '' } = service.metadata ?? {};
    const selected = pods.store.byIndex('namespace', namespace).filter(({ metadata }) => matchesLabels(service.spec?.selector, metadata?.labels));
    const labels = sliceLabels(service);
    const plan = planSlices(desiredGroups(service, selected, (node) => nodes.store.byKey(node)), currentSlices(service), ({ metadata }) => !sameMeaning(metadata?.labels, labels));
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': kubeTime(context.clock.now()) };
    const remember = (slice: EndpointSlice): void => {
      if (slices.hasSynced) written.set(keyOf(slice), slice);
    };
    for (const { addressType, ports, endpoints } of plan.create) {
      const metadata = { generateName: `${name}-`, namespace, labels, annotations, ownerReferences: [ownerReferenceTo(service, 'v1', 'Service')] };
      remember(await context.client.create(resources.endpointSlices, { metadata, addressType, ports: [...ports], endpoints: [...endpoints] }));
    }
    for (const { slice, ports, endpoints } of plan.update) {
      const metadata = { ...slice.metadata, labels, annotations: { ...slice.metadata?.annotations, ...annotations } };
      remember(await context.client.update(resources.endpointSlices, { ...slice, metadata, ports: [...ports], endpoints: [...endpoints] }));
    }
    for (const { metadata } of plan.remove) {
      try {
        await context.client.delete(resources.endpointSlices, { namespace, name: metadata?.name ?? '' }, metadata?.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
      } catch (error) {
        if (!isNotFound(error) && !isAlreadyExists(error)) throw error;
      }
    }
  }

  const enqueueFor = (pod: Pod): void => {
    for (const service of services.store.byIndex('namespace', pod.metadata?.namespace ?? '')) if (matchesLabels(service.spec?.selector, pod.metadata?.labels)) queue.add(keyOf(service));
  };
  services.on({ add: (_service, key) => queue.add(key), update: (_service, _old, key) => queue.add(key), delete: () => undefined });
  pods.on({ add: enqueueFor, delete: enqueueFor, update: (pod, old) => {
    enqueueFor(pod);
    if (!sameMeaning(pod.metadata?.labels, old.metadata?.labels)) enqueueFor(old);
  } });
  // A node's zone is part of its endpoints.
  nodes.on({ update: (node, old) => {
    const zone = 'topology.kubernetes.io/zone';
    if (node.metadata?.labels?.[zone] !== old.metadata?.labels?.[zone]) for (const key of services.store.keys()) queue.add(key);
  } });
  const enqueueOwner = (slice: EndpointSlice): void => {
    const name = slice.metadata?.labels?.[serviceLabel];
    if (name !== undefined && slice.metadata?.labels?.[managerLabel] === manager) queue.add(`${slice.metadata.namespace ?? ''}/${name}`);
  };
  slices.on({
    add: (slice, key) => { if (isNewer(slice, written.get(key))) written.delete(key); enqueueOwner(slice); },
    update: (slice, _old, key) => { if (!isNewer(written.get(key), slice)) written.delete(key); enqueueOwner(slice); },
    delete: (slice, key) => { written.delete(key); enqueueOwner(slice); },
  });
}

/** Whether `a` is a later version than `b`. Our API server's versions are numbers that grow. */
function isNewer(a: EndpointSlice | undefined, b: EndpointSlice | undefined): boolean {
  if (a === undefined) return false;
  return b === undefined || Number(a.metadata?.resourceVersion) > Number(b.metadata?.resourceVersion);
}
