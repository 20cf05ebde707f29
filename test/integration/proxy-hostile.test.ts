// 10,000 Services and slices that no validating server would let through, by way of the running proxy's informers: it does not fall, it
// serves the good ones, it names each bad one, and when they are gone the kernel holds what a cold start with the good ones would write.
import test from 'ava';
import fc from 'fast-check';
import { KernelNft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import type { EndpointSlice, Service } from '@podwire/kube-client';
import { ROW_MAPS } from '../../proxy/core/rows.ts';
import type { Row } from '../../proxy/core/rows.ts';
import { TableState } from '../../proxy/core/table-state.ts';
import { readRows } from '../../proxy/driver/kernel-rows.ts';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import { RowTable, canonical } from '../../proxy/testing/row-table.ts';
import { World } from '../../proxy/testing/world.ts';

const SEED = 20_261_126;
const BAD_SERVICES = 5000, BAD_SLICES = 4000, JUNK = 1000;

type Plain = Record<string, unknown>;
/** One thing that is wrong in an otherwise good Service: each of these must be named. */
const serviceFaults: readonly ((good: Plain) => Plain)[] = [
  (spec) => ({ ...spec, clusterIP: 'not-an-address', clusterIPs: undefined }),
  (spec) => ({ ...spec, clusterIP: 5, clusterIPs: undefined }),
  (spec) => ({ ...spec, clusterIPs: ['10.96.1', spec['clusterIP']] }),
  (spec) => ({ ...spec, clusterIPs: [null] }),
  (spec) => ({ ...spec, clusterIPs: 'one' }),
  (spec) => ({ ...spec, ports: 'many' }),
  (spec) => ({ ...spec, ports: { port: 80 } }),
  (spec) => ({ ...spec, ports: [null, 7, []] }),
  ...[0, -1, 1.5, 70_000, 'http', null, {}].map((port) => (spec: Plain) => ({ ...spec, ports: [{ port }, { name: 'good', port: 81 }] })),
  ...['ICMP', 5, '', 'tcp', 'constructor'].map((protocol) => (spec: Plain) => ({ ...spec, ports: [{ port: 80, protocol }] })),
  (spec) => ({ ...spec, ports: [{ name: {}, port: 80 }] }),
  (spec) => ({ ...spec, ports: [{ name: 'x', port: 80 }, { name: 'x', port: 81 }] }),
  (spec) => ({ ...spec, ports: [{ name: 'x', port: 80 }, { name: 'y', port: 80 }] }),
  ...[-5, 99_999, 'thirty'].map((nodePort) => (spec: Plain) => ({ ...spec, type: 'NodePort', ports: [{ port: 80, nodePort }] })),
  ...['127.0.0.1', '::1', '0.0.0.0', '224.0.0.1', '::ffff:1.2.3.4', 'fe80::1%eth0', '1.2.3.4/32', 5, null, ''].map((ip) => (spec: Plain) => ({ ...spec, externalIPs: [ip] })),
  (spec) => ({ ...spec, externalIPs: '203.0.113.9' }),
  ...['1.2.3.4/99', '1.2.3.4', 'everybody', 5, null].map((range) => (spec: Plain) => ({ ...spec, type: 'LoadBalancer', loadBalancerSourceRanges: [range] })),
  (spec) => ({ ...spec, type: 'LoadBalancer', loadBalancerSourceRanges: '0.0.0.0/0' }),
  (spec) => ({ ...spec, type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 99_999 }),
  ...[-1, 0, 1e9, 'long', 1.5].map((timeoutSeconds) => (spec: Plain) => ({ ...spec, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } })),
  (spec) => ({ ...spec, type: 'Weird' }),
  (spec) => ({ ...spec, sessionAffinity: 'Cookie' }),
  (spec) => ({ ...spec, internalTrafficPolicy: 'Sideways' }),
  (spec) => ({ ...spec, externalTrafficPolicy: 7 }),
];
const statusFaults: readonly unknown[] = [[{ ip: 'x' }], [null], 'x', [{ ip: '127.0.0.1' }], [{ ip: 5 }]];

const sliceFaults: readonly ((good: Plain) => Plain)[] = [
  (good) => ({ ...good, addressType: 'IPv5' }),
  (good) => ({ ...good, addressType: undefined }),
  (good) => ({ ...good, ports: 'all' }),
  (good) => ({ ...good, ports: [null] }),
  ...[0, -1, 65_536, '80', null].map((port) => (good: Plain) => ({ ...good, ports: [{ name: 't', port }] })),
  (good) => ({ ...good, ports: [{ name: 't', protocol: 'QUIC', port: 80 }] }),
  (good) => ({ ...good, endpoints: {} }),
  (good) => ({ ...good, endpoints: [null, 'x'] }),
  ...[[], 'x', ['x'], ['::1'], ['0.0.0.0'], ['127.0.0.1'], ['169.254.1.1'], ['224.0.0.1'], ['255.255.255.255'], [5], ['10.0.0.1/8']].map((addresses) => (good: Plain) => ({ ...good, endpoints: [{ addresses }, { addresses: ['10.244.77.2'] }] })),
  ...['yes', 1, {}].map((ready) => (good: Plain) => ({ ...good, endpoints: [{ addresses: ['10.244.77.3'], conditions: { ready } }] })),
];

/** Anything at all where an object should be. */
const junk = fc.oneof(fc.constant(null), fc.integer(), fc.string(), fc.array(fc.string(), { maxLength: 3 }), fc.object({ maxDepth: 2, maxKeys: 3 }), fc.constantFrom('10.96.40.1', '10.244.1.3', 'None', '__proto__'));

test('10,000 hostile objects: no crash, each is named, the good ones are served, and nothing of them stays', async (t) => {
  const harness = await createHarness();
  const nft = KernelNft.open();
  try {
    const { api } = harness;
    const good = new World();
    const put = (kind: 'service' | 'slice', object: Service | EndpointSlice): void => {
      good.apply({ kind, object } as Parameters<World['apply']>[0]);
      if (kind === 'service') api.put(resources.services, object as Service);
      else api.put(resources.endpointSlices, object as EndpointSlice);
    };
    for (let n = 0; n < 50; n++) {
      put('service', service(`good-${n}`, [`10.96.40.${n + 1}`, `fd96::40:${n + 1}`]));
      put('slice', slice(`good-${n}-4`, `good-${n}`, [{ address: ADDRESSES.b[0], node: 'node1' }]));
      put('slice', slice(`good-${n}-6`, `good-${n}`, [{ address: ADDRESSES.b[1], node: 'node1' }]));
    }
    await harness.synced();

    const named: string[] = [];
    const hostile: (() => void)[] = [];
    const add = (kind: 'service' | 'slice', name: string, object: unknown): void => {
      hostile.push(kind === 'service' ? () => api.put(resources.services, object as Service) : () => api.put(resources.endpointSlices, object as EndpointSlice));
      if (name.startsWith('bad')) named.push(`${kind === 'service' ? 'Service' : 'EndpointSlice'} default/${name}:`);
    };
    const younger = '2026-06-01T00:00:00Z';
    for (let n = 0; n < BAD_SERVICES; n++) {
      const name = `bad-${n}`;
      // Every other one also wants an address that a good Service has.
      const spec: Plain = { clusterIP: n % 2 === 0 ? `10.96.40.${(n % 50) + 1}` : `10.96.${50 + (n >> 8)}.${n & 255}`, ports: [{ port: 80 }] };
      const fault = n % (serviceFaults.length + statusFaults.length);
      const metadata = { name, namespace: 'default', creationTimestamp: younger };
      const change = serviceFaults[fault];
      add('service', name, change === undefined ? { metadata, spec: { ...spec, type: 'LoadBalancer' }, status: { loadBalancer: { ingress: statusFaults[fault - serviceFaults.length] } } } : { metadata, spec: change(spec) });
    }
    for (let n = 0; n < BAD_SLICES; n++) {
      const name = `bad-slice-${n}`;
      const change = sliceFaults[n % sliceFaults.length] ?? ((same: Plain) => same);
      const metadata = { name, namespace: 'default', labels: { 'kubernetes.io/service-name': `bad-${n}` } };
      add('slice', name, { metadata, ...change({ addressType: 'IPv4', ports: [{ name: '', port: 8080 }], endpoints: [{ addresses: ['10.244.77.1'] }] }) });
    }
    for (const [n, [spec, status, labels]] of fc.sample(fc.tuple(junk, junk, junk), { numRuns: JUNK / 2, seed: SEED }).entries()) {
      add('service', `junk-${n}`, { metadata: { name: `junk-${n}`, namespace: 'default', labels, creationTimestamp: younger }, spec, status });
    }
    for (const [n, [addressType, ports, endpoints]] of fc.sample(fc.tuple(fc.constantFrom('IPv4', 'IPv6', 'FQDN'), junk, fc.oneof(junk, fc.array(fc.record({ addresses: junk, conditions: junk, hints: junk, nodeName: junk }), { maxLength: 3 }))), { numRuns: JUNK / 2, seed: SEED }).entries()) {
      add('slice', `junk-slice-${n}`, { metadata: { name: `junk-slice-${n}`, namespace: 'default', labels: { 'kubernetes.io/service-name': `bad-${n}` } }, addressType, ports, endpoints });
    }
    t.is(hostile.length, 10_000);

    harness.warnings.length = 0;
    // Half of them arrive one by one over the watch, half are there when a proxy starts.
    for (const one of hostile.slice(0, 5000)) one();
    await harness.synced();
    await harness.proxy.stop();
    for (const one of hostile.slice(5000)) one();
    await harness.restart();

    const said = new Set(harness.warnings.map((text) => /^(?:Service|EndpointSlice) \S+:/.exec(text)?.[0]));
    t.deepEqual(named.filter((name) => !said.has(name)), [], 'each bad one is named');
    t.deepEqual(harness.warnings.filter((text) => text.startsWith('error')), []);
    t.deepEqual(harness.warnings.filter((text) => /good-\d+(?:-\d)?:/.test(text) && !text.startsWith('two Services want')), [], 'no good one is complained of');
    t.true(harness.proxy.health().isLive);
    for (const [family, host] of [[0, '10.96.40.7'], [1, 'fd96::40:7']] as const) {
      for (const protocol of ['tcp', 'udp'] as const) t.deepEqual(await harness.ask({ from: harness.lab.a, protocol, host, port: 80, count: 4 }), [`b|${ADDRESSES.a[family]}`], `${host} ${protocol}`);
    }

    for (const kind of ['bad', 'junk']) {
      for (let n = 0; n < BAD_SERVICES; n++) {
        api.remove(resources.services, `default/${kind}-${n}`);
        api.remove(resources.endpointSlices, `default/${kind}-slice-${n}`);
      }
    }
    await harness.synced();
    for (const family of ['ip', 'ip6'] as const) {
      const table = harness.proxy.tables.find((one) => one.family === family);
      if (table === undefined) throw new Error(family);
      await table.retire();
      const rows: Row[] = [];
      for (const map of ROW_MAPS) await readRows(nft, table.schema, map, (row) => rows.push(row));
      const state = new TableState(family);
      const cold = new RowTable();
      for (const key of good.services.keys()) state.update(key, good.desired(key, family), cold);
      t.deepEqual(canonical(rows), canonical(cold.rows.values()), family);
    }
  } finally {
    nft.close();
    await harness[Symbol.asyncDispose]();
  }
});
