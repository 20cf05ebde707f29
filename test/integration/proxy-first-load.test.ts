// A proxy that starts over empty tables programs each Service as it comes in, page by page; one that finds rows waits until it knows everything.
import { execFileSync } from 'node:child_process';
import test from 'ava';
import type { EndpointSlice, KubeClient, KubeObject, Node, ResourceDescriptor, Service, WatchEvent, WatchOptions } from '@podwire/kube-client';
import { unshareNetns } from '@podwire/netlink';
import { startProxy } from '@podwire/proxy';
import type { ProxyHandle } from '@podwire/proxy';
import { runNft } from 'nftables-js';
import { until } from '../../proxy/testing/netlab.ts';
import { node, service, slice } from '../../proxy/testing/objects.ts';

unshareNetns();
execFileSync('/sbin/ip', ['link', 'set', 'lo', 'up']);

/** An API server that keeps the second page of slices back until told. */
function slowClient(services: readonly Service[], nodes: readonly Node[], pages: readonly (readonly EndpointSlice[])[]): Pick<KubeClient, 'pages' | 'watch'> & { open: () => void } {
  const gate = Promise.withResolvers<undefined>();
  const first: Readonly<Record<string, readonly KubeObject[]>> = { services, nodes, endpointslices: pages[0] ?? [] };
  return {
    open: () => gate.resolve(undefined),
    async *pages<T extends KubeObject>({ plural }: ResourceDescriptor<T>) {
      await Promise.resolve();
      yield { items: [...(first[plural] ?? [])] as T[], metadata: { resourceVersion: '1' } };
      if (plural !== 'endpointslices') return;
      await gate.promise;
      for (const items of pages.slice(1)) yield { items: [...items] as unknown as T[], metadata: { resourceVersion: '1' } };
    },
    async *watch<T extends KubeObject>(_resource: ResourceDescriptor<T>, options: WatchOptions = {}) {
      await new Promise((_resolve, reject) => { options.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), { once: true }); });
      yield* [] as WatchEvent<T>[];
    },
  };
}

const versioned = <T extends KubeObject>(object: T, resourceVersion: string): T => ({ ...object, metadata: { ...object.metadata, resourceVersion } });
const services = [service('whole', ['10.96.0.1']), service('split', ['10.96.0.2']), service('late', ['10.96.0.3']), service('empty', ['10.96.0.4'])];
const pages = [
  [slice('whole-1', 'whole', [{ address: '10.244.1.1' }]), slice('split-1', 'split', [{ address: '10.244.1.2' }])],
  [slice('split-2', 'split', [{ address: '10.244.1.3' }]), slice('late-1', 'late', [{ address: '10.244.1.4' }])],
];
const start = (client: Pick<KubeClient, 'pages' | 'watch'>): Promise<ProxyHandle> => startProxy({
  client, nodeName: 'n1', log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  config: { families: ['ip'], clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/16'], healthzBindAddress: '', metricsBindAddress: '' },
});
const rows = async (map: string): Promise<string> => runNft(['list', 'map', 'ip', 'podwire', map], '');
/** Last bytes of the addresses in a map. */
const lastBytes = async (map: string, address: RegExp): Promise<string[]> => [...new Set([...(await rows(map)).matchAll(address)].map((match) => match[1] ?? ''))].sort();
const fronts = (): Promise<string[]> => lastBytes('service', /10\.96\.0\.(\d)/g);
const endpoints = (): Promise<string[]> => lastBytes('endpoint', /10\.244\.1\.(\d)/g);
const drops = async (): Promise<boolean> => (await runNft(['list', 'set', 'ip', 'podwire', 'svc-net'], '')).includes('10.96.0.0/16');

test.serial('over empty tables, what is known is served before everything is; nothing is refused or dropped before that', async (t) => {
  const client = slowClient(services, [node('n1', ['192.0.2.1'])], pages);
  const proxy = await start(client);
  await until(async () => (await fronts()).join() === '1,2', 'the first page to be served');
  t.deepEqual(await endpoints(), ['1', '2']);
  t.false(proxy.health().isSynced);
  t.false(await drops());
  client.open();
  await proxy.waitForSync(AbortSignal.timeout(10_000));
  t.deepEqual(await fronts(), ['1', '2', '3', '4']);
  t.deepEqual(await endpoints(), ['1', '2', '3', '4']);
  t.true(await drops());
  t.true(proxy.health().isHealthy);
  t.regex(await proxy.metricsText(), /kubeproxy_sync_proxy_rules_service_changes_total\{ip_family="IPv4"\} 4/);
  await proxy.audit();
  t.notRegex(await proxy.metricsText(), /podwire_proxy_drift_repairs_total\{[^}]*\} [1-9]/, 'a cold start would have written the same');
  await proxy.stop();
});

test.serial('over rows of an earlier proxy, none goes before everything is known', async (t) => {
  // Two Services have changed meanwhile: one has another endpoint, in the page that is late; one is gone.
  const later = [[pages[0]?.[0] as EndpointSlice], [versioned(slice('split-1', 'split', [{ address: '10.244.1.9' }]), '9')]];
  const client = slowClient(services.slice(0, 2), [node('n1', ['192.0.2.1'])], later);
  const proxy = await start(client);
  await until(async () => (await runNft(['list', 'ruleset'], '')).includes('podwire'), 'the table');
  for (let look = 0; look < 20; look++) {
    t.deepEqual([await fronts(), await endpoints()], [['1', '2', '3', '4'], ['1', '2', '3', '4']]);
  }
  client.open();
  await proxy.waitForSync(AbortSignal.timeout(10_000));
  t.deepEqual(await fronts(), ['1', '2']);
  await until(async () => (await endpoints()).join() === '1,9', 'the rows of removed endpoints to be retired');
  await proxy.stop();
});
