// Gives Services of type LoadBalancer an address, and takes it back when the type changes. Routing the range to the nodes is
// the network's part (the lab sets that route); the proxies on the nodes do the rest.
import { referenceTo, resources } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';
import { enqueueOn } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';
import { parseCidr } from '../node/pod-cidrs.ts';
import { addressesOf, assignAddresses, wantsAddress } from './load-balancer.ts';

export function startLoadBalancerController(context: ControllerContext): void {
  const ranges = (context.settings.loadBalancerCidrs ?? []).map(parseCidr);
  if (ranges.length === 0) return;
  const services = context.informer(resources.services);
  const events = context.recorder('service-controller');
  /** Ours, by key: an address that somebody else wrote into a Service is not ours to take back. */
  const managed = new Set<string>();

  // One at a time: two Services must not be given the same free address.
  const queue = context.queue('load-balancer', async (key) => {
    await services.waitForSync(context.signal);
    const service = services.store.byKey(key);
    if (service === undefined) {
      managed.delete(key);
      return;
    }
    if (!wantsAddress(service)) {
      if (service.spec?.type !== 'LoadBalancer' && (managed.has(key) || addressesOf(service).length > 0)) await context.client.updateStatus(resources.services, { ...service, status: { ...service.status, loadBalancer: {} } });
      managed.delete(key);
      return;
    }
    // Read anew: the cache may not show yet what the previous turn gave away.
    const { items } = await context.client.list(resources.services);
    const others = items.filter(({ metadata }) => metadata?.uid !== service.metadata?.uid);
    const assignment = assignAddresses(service, ranges, others);
    if ('problem' in assignment) {
      events.record(referenceTo(resources.services, service), 'Warning', 'SyncLoadBalancerFailed', `Error syncing load balancer: ${assignment.problem}`);
      throw new Error(`${key}: ${assignment.problem}`);
    }
    managed.add(key);
    if (sameMeaning(assignment.ingress, service.status?.loadBalancer?.ingress)) return;
    await context.client.updateStatus(resources.services, { ...service, status: { ...service.status, loadBalancer: { ingress: assignment.ingress } } });
    events.record(referenceTo(resources.services, service), 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  }, { concurrency: 1 });
  enqueueOn(services, queue);
}
