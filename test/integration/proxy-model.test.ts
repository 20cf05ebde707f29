// The pure model against the kernel: random Services, slices and flows; whoever answers must be one that the model allows, and what
// the model refuses or drops must be refused or silent.
import test from 'ava';
import fc from 'fast-check';
import { resources } from '@podwire/kube-client';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { arbitraryService } from '../../proxy/testing/arbitrary.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { slice } from '../../proxy/testing/objects.ts';

const pods = ['a', 'b', 'c'] as const;
const endpoint = fc.record({ pod: fc.constantFrom(...pods), state: fc.constantFrom('ready', 'ready', 'terminating', 'gone') });
const round = fc.record({
  services: fc.uniqueArray(arbitraryService, { minLength: 2, maxLength: 3, selector: (object) => object.metadata?.name }),
  endpoints: fc.array(fc.uniqueArray(endpoint, { maxLength: 3, selector: ({ pod }) => pod }), { minLength: 3, maxLength: 3 }),
  flows: fc.array(fc.record({ from: fc.constantFrom('a', 'b', 'node1', 'outside'), service: fc.nat(2), protocol: fc.constantFrom('tcp', 'udp'), where: fc.constantFrom('cluster', 'cluster', 'node', 'external', 'lb'), port: fc.integer({ min: 80, max: 82 }) }), { minLength: 6, maxLength: 6 }),
});

let harness: Harness;
test.before(async () => { harness = await createHarness(); });
test.after.always(async () => { await harness[Symbol.asyncDispose](); });

const NAMES = ['s0', 's1', 's2', 's3'];
const PORTS = ['tcp80', 'tcp81', 'udp80', 'udp82'].map((port) => ({ name: port, protocol: port.replace(/\d+/, '').toUpperCase(), port: 8080 }));

/** Addresses by family: IPv4, IPv6. */
const EXTERNAL = ['203.0.113.1', '2001:db8::1'] as const;
const BALANCER = ['203.0.113.3', '2001:db8::3'] as const;

for (const family of [0, 1] as const) {
  test.serial(`the kernel does what the model says over IPv${family === 0 ? 4 : 6}, for random Services, slices and flows`, async (t) => {
    const seed = Date.now() % 1_000_000;
    t.log({ seed });
    let asked = 0;
    for (const { services, endpoints, flows } of fc.sample(round, { numRuns: 25, seed })) {
      for (const name of NAMES) {
        harness.api.remove(resources.services, `default/${name}`);
        for (const suffix of [4, 6]) harness.api.remove(resources.endpointSlices, `default/${name}-${suffix}`);
      }
      for (const [n, object] of services.entries()) {
        const name = object.metadata?.name ?? '';
        // Over IPv6 every Service must have an address there.
        const both = [object.spec?.clusterIP ?? '', `fd96::${object.spec?.clusterIP?.split('.').at(-1) ?? ''}`];
        harness.api.put(resources.services, family === 0 ? object : { ...object, spec: { ...object.spec, clusterIPs: both } });
        for (const at of [0, 1] as const) {
          harness.api.put(resources.endpointSlices, slice(`${name}-${at === 0 ? 4 : 6}`, name, (endpoints[n] ?? []).map(({ pod, state }) => ({
            address: ADDRESSES[pod][at], node: pod === 'c' ? 'node2' : 'node1', ready: state === 'ready', serving: state !== 'gone', terminating: state !== 'ready',
          })), PORTS));
        }
      }
      await harness.synced();
      for (const flow of flows) {
        const object = services[flow.service % services.length];
        const clusterIP = family === 0 ? object?.spec?.clusterIP ?? '' : `fd96::${object?.spec?.clusterIP?.split('.').at(-1) ?? ''}`;
        const host = flow.where === 'cluster' ? clusterIP : flow.where === 'node' ? ADDRESSES.node1[family] : flow.where === 'external' ? EXTERNAL[family] : BALANCER[family];
        const question = { from: harness.lab[flow.from as 'a'], protocol: flow.protocol as 'tcp', host, port: flow.where === 'node' ? 29_920 + flow.port : flow.port };
        const predicted = await harness.predict(question);
        if (predicted[0] === 'untouched') continue;
        const silent = predicted[0] === 'ETIMEDOUT';
        const replies = await harness.ask({ ...question, count: silent ? 1 : 6, timeoutMs: silent ? 250 : 2000 });
        asked++;
        for (const reply of replies) t.true(predicted.includes(reply), `seed ${seed}: ${flow.from} -> ${host}:${question.port}/${flow.protocol}: ${reply}, the model says ${predicted.join(', ')}`);
      }
    }
    t.true(asked > 20, `${asked} flows asked`);
  });
}
