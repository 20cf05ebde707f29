// The running proxy: nothing lost in rolling updates and restarts, no stale UDP flow, drift repaired, a lost API server survived.
import test from 'ava';
import fs from 'node:fs';
import { runNft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import { ADDRESSES, until } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import type { EndpointWords } from '../../proxy/testing/objects.ts';
import { apiUnderTest, startApiUnderTest } from '../helpers/api-under-test.ts';

let harness: Harness;
/** For tests whose objects a real server refuses, or whose creation times it would set itself: declared with the fake only. */
const withFake = apiUnderTest() === 'fake' ? test.serial : (): void => undefined;
test.before(async () => { harness = await createHarness({ trafficAccounting: true }, startApiUnderTest); });
test.after.always(async () => { await harness[Symbol.asyncDispose](); });

const B: EndpointWords = { address: ADDRESSES.b[0], node: 'node1' };
const C: EndpointWords = { address: ADDRESSES.c[0], node: 'node2' };

const endpoints = (name: string, ...list: EndpointWords[]): void => { harness.api.put(resources.endpointSlices, slice(`${name}-4`, name, list)); };
const udp = (host: string, fromPort: number, timeoutMs = 400): Promise<string[]> => harness.lab.a.ask({ protocol: 'udp', host, port: 80, fromPort, timeoutMs });
/** A flow that goes on must reach `wanted` soon: 40 ms after the change by design, and a loaded machine's time on top. */
async function flowReaches(host: string, fromPort: number, wanted: string, t: { is(a: unknown, b: unknown, message?: string): void }): Promise<void> {
  let last = '';
  await until(async () => {
    last = name((await udp(host, fromPort, 200))[0]);
    return last === wanted;
  }, `the flow to reach ${wanted}`, 3000).catch(() => undefined);
  t.is(last, wanted);
}
const name = (reply: string | undefined): string => (reply ?? '').split('|')[0] ?? '';

test.serial('no connection and no request is lost while every endpoint is replaced again and again, and while the proxy restarts', async (t) => {
  const { api, lab } = harness;
  const d = await lab.addPod('d', 4);
  t.is(d.name, 'd');
  const D: EndpointWords = { address: '10.244.1.4', node: 'node1' };
  api.put(resources.services, service('roll', ['10.96.2.1']));
  endpoints('roll', B, C);
  await harness.synced();
  await lab.a.load({ protocol: 'tcp', host: '10.96.2.1', port: 80, timeoutMs: 3000 }, 4);
  await lab.node1.load({ protocol: 'udp', host: '10.96.2.1', port: 80, timeoutMs: 3000 }, 4);
  const steps: EndpointWords[][] = [[B], [C, D], [D], [B, C, D], [C], [B, D], [{ ...B, ready: false, serving: true, terminating: true }, D], [D, C], [B]];
  for (let round = 0; round < 3; round++) {
    for (const step of steps) {
      endpoints('roll', ...step);
      await harness.synced();
    }
    await harness.restart();
  }
  const [tcp, datagrams] = await Promise.all([lab.a.unload(), lab.node1.unload()]);
  t.deepEqual(tcp.failures, []);
  t.deepEqual(datagrams.failures, []);
  t.deepEqual(Object.keys(tcp.replies).sort(), ['b', 'c', 'd']);
  t.log({ tcp: tcp.replies, udp: datagrams.replies });
});

test.serial('a UDP flow follows its Service: replaced endpoint, scale to zero and back, deletion and return', async (t) => {
  const { api } = harness;
  api.put(resources.services, service('flow', ['10.96.2.2']));
  endpoints('flow', B);
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'b', t);
  endpoints('flow', C);
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'c', t);
  endpoints('flow');
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'ECONNREFUSED', t);
  endpoints('flow', B);
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'b', t);
  api.remove(resources.services, 'default/flow');
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'ETIMEDOUT', t);
  api.put(resources.services, service('flow', ['10.96.2.2']));
  await harness.synced();
  await flowReaches('10.96.2.2', 40_001, 'b', t);
});

test.serial('a UDP flow leaves a remote endpoint when internalTrafficPolicy becomes Local', async (t) => {
  harness.api.put(resources.services, service('inner', ['10.96.2.3']));
  endpoints('inner', C);
  await harness.synced();
  await flowReaches('10.96.2.3', 40_002, 'c', t);
  harness.api.put(resources.services, service('inner', ['10.96.2.3'], { internalTrafficPolicy: 'Local' }));
  endpoints('inner', C, B);
  await harness.synced();
  await flowReaches('10.96.2.3', 40_002, 'b', t);
});

test.serial('a UDP flow to a node port that began before the Service is rewritten once the Service is there', async (t) => {
  const ask = (): Promise<string[]> => harness.lab.outside.ask({ protocol: 'udp', host: ADDRESSES.node1[0], port: 30_555, fromPort: 40_003, timeoutMs: 300 });
  t.is((await ask())[0], 'ECONNREFUSED');
  harness.api.put(resources.services, service('late', ['10.96.2.4'], { type: 'NodePort', ports: [{ name: 'u', protocol: 'UDP', port: 80, nodePort: 30_555 }] }));
  endpoints('late', B);
  await harness.synced();
  await until(async () => name((await ask())[0]) === 'b', 'the node port to answer');
  t.pass();
});

test.serial('session affinity keeps a client on its endpoint across addresses, and chooses anew when that endpoint leaves', async (t) => {
  const { api, lab } = harness;
  const sticky = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }, externalIPs: ['203.0.113.77'] };
  api.put(resources.services, service('sticky', ['10.96.2.5'], sticky));
  endpoints('sticky', B, C);
  await harness.synced();
  const ask = async (host: string, protocol: 'tcp' | 'udp'): Promise<string[]> => [...new Set((await lab.a.ask({ protocol, host, port: 80, count: 20 })).map(name))];
  const first = await ask('10.96.2.5', 'tcp');
  t.is(first.length, 1);
  t.deepEqual(await ask('203.0.113.77', 'tcp'), first, 'the external address shares the affinity');
  const question = { from: lab.a, protocol: 'tcp', host: '10.96.2.5', port: 80 } as const;
  t.deepEqual((await harness.predict(question)).map(name), first, 'the model knows');
  endpoints('sticky', first[0] === 'b' ? C : B);
  await harness.synced();
  const second = await ask('10.96.2.5', 'tcp');
  t.deepEqual(second, [first[0] === 'b' ? 'c' : 'b']);
  endpoints('sticky', B, C);
  await harness.synced();
  t.deepEqual(await ask('10.96.2.5', 'tcp'), second, 'it stays when the other returns');
  t.is((await ask('10.96.2.5', 'udp')).length, 1);
});

test.serial('an endpoint chosen by consistent hash is the same for the same source port', async (t) => {
  harness.api.put(resources.services, service('hashed', ['10.96.2.6'], {}, { metadata: { name: 'hashed', namespace: 'default', annotations: { 'podwire.dev/load-balancing': 'consistent-hash' } } }));
  harness.api.put(resources.services, { ...service('hashed', ['10.96.2.6']), metadata: { name: 'hashed', namespace: 'default', annotations: { 'podwire.dev/load-balancing': 'consistent-hash' } } });
  endpoints('hashed', B, C);
  await harness.synced();
  const seen = new Set<string>();
  for (let port = 41_000; port < 41_012; port++) {
    const [one] = await udp('10.96.2.6', port);
    await runNft(['list', 'table', 'ip', 'podwire'], '').then(() => undefined);
    const [two] = await udp('10.96.2.6', port);
    t.is(name(one), name(two));
    seen.add(name(one));
  }
  t.is(seen.size, 2);
});

for (const [what, command] of [['a flushed table', 'flush table ip podwire'], ['a deleted table', 'delete table ip podwire'], ['a deleted element', 'delete element ip podwire svc-ip { 10.96.3.1 }'], ['a foreign rule', 'insert rule ip podwire services drop']] as const) {
  test.serial(`${what} is noticed, repaired and reported by itself`, async (t) => {
    harness.api.put(resources.services, service('drift', ['10.96.3.1']));
    endpoints('drift', B);
    await harness.synced();
    harness.warnings.length = 0;
    await runNft(['-f', '-'], `${command}\n`);
    await until(() => harness.warnings.some((text) => text.includes('changed by somebody else')), 'the repair');
    await harness.proxy.waitForSync();
    t.deepEqual(await harness.ask({ from: harness.lab.a, protocol: 'tcp', host: '10.96.3.1', port: 80, count: 3 }), ['b|10.244.1.2']);
    const text = await harness.proxy.metricsText();
    t.regex(text, /podwire_proxy_drift_detected_total [1-9]/);
    t.regex(text, /podwire_proxy_drift_repairs_total\{ip_family="IPv4",kind="[a-z-]+"\} [1-9]/);
  });
}

test.serial('a lost connection and an expired watch change nothing for packets, and what happened meanwhile arrives', async (t) => {
  const { api, lab } = harness;
  api.put(resources.services, service('keep', ['10.96.4.1']));
  endpoints('keep', B);
  await harness.synced();
  api.disconnect();
  t.deepEqual(await harness.ask({ from: lab.a, protocol: 'tcp', host: '10.96.4.1', port: 80, count: 3 }), ['b|10.244.1.2']);
  endpoints('keep', C);
  api.compact();
  api.disconnect();
  await harness.synced();
  t.deepEqual(await harness.ask({ from: lab.a, protocol: 'tcp', host: '10.96.4.1', port: 80, count: 3 }), ['c|10.244.1.2']);
});

withFake('hostile objects crash nothing, are named, and keep no good Service from being served', async (t) => {
  const { api, lab } = harness;
  harness.warnings.length = 0;
  const hostile = [
    { clusterIP: 'not-an-address', ports: [{ port: 80 }] }, { clusterIP: '10.96.5.2', ports: [{ port: 70_000 }] }, { clusterIP: '10.96.5.3', ports: 'many' }, { clusterIP: '10.96.5.4', ports: [null, 7, { port: 80, protocol: 'ICMP' }] },
    { clusterIP: '10.96.5.5', externalIPs: ['127.0.0.1', '::ffff:1.2.3.4', 5], ports: [{ port: 80 }] }, { clusterIP: '10.96.5.6', type: 'LoadBalancer', loadBalancerSourceRanges: ['1.2.3.4/99'], ports: [{ port: 80 }] },
    { clusterIP: '10.96.5.7', sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: -1 } }, ports: [{ port: 80 }, { port: 80 }] },
  ];
  hostile.forEach((spec, n) => api.put(resources.services, { metadata: { name: `bad-${n}`, namespace: 'default' }, spec } as never));
  api.put(resources.endpointSlices, { metadata: { name: 'bad-slice', namespace: 'default', labels: { 'kubernetes.io/service-name': 'bad-6' } }, addressType: 'IPv4', ports: [{ port: 0 }], endpoints: [{ addresses: [] }, null, { addresses: ['0.0.0.0'] }] } as never);
  api.put(resources.services, service('good', ['10.96.5.1']));
  endpoints('good', B);
  await harness.synced();
  t.deepEqual(await harness.ask({ from: lab.a, protocol: 'tcp', host: '10.96.5.1', port: 80, count: 3 }), ['b|10.244.1.2']);
  for (let n = 0; n < hostile.length; n++) t.true(harness.warnings.some((text) => text.includes(`Service default/bad-${n}:`)), `bad-${n} is named`);
  t.true(harness.warnings.some((text) => text.includes('EndpointSlice default/bad-slice')));
  t.deepEqual(harness.warnings.filter((text) => text.startsWith('error')), []);
});

withFake('two Services with one external IP: the older is served and the other is named', async (t) => {
  harness.warnings.length = 0;
  const make = (entry: string, ip: string, created: string) => service(entry, [ip], { externalIPs: ['203.0.113.88'] }, { metadata: { creationTimestamp: created } });
  harness.api.put(resources.services, { ...make('younger', '10.96.6.2', ''), metadata: { name: 'younger', namespace: 'default', creationTimestamp: '2026-03-01T00:00:00Z' } });
  harness.api.put(resources.services, { ...make('older', '10.96.6.1', ''), metadata: { name: 'older', namespace: 'default', creationTimestamp: '2026-02-01T00:00:00Z' } });
  endpoints('younger', B);
  endpoints('older', C);
  await harness.synced();
  t.deepEqual((await harness.ask({ from: harness.lab.a, protocol: 'tcp', host: '203.0.113.88', port: 80, count: 4 })).map(name), ['c']);
  t.true(harness.warnings.some((text) => text.includes('203.0.113.88 80/TCP') && text.includes('default/older') && text.includes('default/younger')));
});

test.serial('SCTP is programmed as rows (this kernel cannot carry it)', async (t) => {
  harness.api.put(resources.services, service('sctp', ['10.96.7.1'], { ports: [{ name: 's', protocol: 'SCTP', port: 80 }] }));
  harness.api.put(resources.endpointSlices, slice('sctp-4', 'sctp', [B], [{ name: 's', protocol: 'SCTP', port: 8080 }]));
  await harness.synced();
  t.regex(await runNft(['list', 'map', 'ip', 'podwire', 'service'], ''), /10\.96\.7\.1 \. sctp \. 80 : 0x8100/);
});

test.serial('healthCheckNodePort answers by local endpoints, connections are counted per endpoint', async (t) => {
  const { api, lab } = harness;
  api.put(resources.services, service('checked', ['10.96.8.1'], { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_999 }));
  endpoints('checked', B, C);
  await harness.synced();
  const get = async (): Promise<{ status: number; body: unknown }> => {
    const response = await fetch('http://127.0.0.1:30999/', { headers: { connection: 'close' } });
    return { status: response.status, body: await response.json() };
  };
  await until(async () => (await get().catch(() => undefined))?.status === 200, 'the health server');
  t.deepEqual((await get()).body, { service: { namespace: 'default', name: 'checked' }, localEndpoints: 1, serviceProxyHealthy: true });
  endpoints('checked', C);
  await harness.synced();
  await until(async () => (await get()).status === 503, 'the last local endpoint to be missed');
  await lab.a.ask({ protocol: 'tcp', host: '10.96.8.1', port: 80, count: 5 });
  t.regex(await harness.proxy.metricsText(), /podwire_proxy_endpoint_connections_total\{namespace="default",service="checked",port="t",protocol="TCP",endpoint="10\.244\.2\.2:8080",ip_family="IPv4"\} 5/);
});

test.serial('bytes are counted per endpoint, of live and of ended connections', async (t) => {
  fs.writeFileSync('/proc/sys/net/netfilter/nf_conntrack_acct', '1');
  harness.api.put(resources.services, service('counted', ['10.96.9.1']));
  endpoints('counted', B);
  await harness.synced();
  await harness.lab.a.ask({ protocol: 'udp', host: '10.96.9.1', port: 80, count: 4, fromPort: 42_000 });
  const bytes = async (): Promise<number> => Number(/podwire_proxy_endpoint_bytes_total\{namespace="default",service="counted",port="u",protocol="UDP",endpoint="10\.244\.1\.3:8080",ip_family="IPv4",direction="to-endpoint"\} (\d+)/.exec(await harness.proxy.metricsText())?.[1] ?? 0);
  const live = await bytes();
  t.true(live >= 4 * 29, `${live} bytes`);
  endpoints('counted', C); // the flow ends: its endpoint is gone
  await harness.synced();
  await until(async () => await bytes() >= live, 'the ended flow to be counted');
  t.pass();
});
