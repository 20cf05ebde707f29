import test from 'ava';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import type { Service } from '@podwire/kube-client';
import { canonicalAddress, isUsableEndpoint, mergeRanges, numberAddress, parseCidr, withoutAddresses } from './address.ts';
import { desiredService } from './desired.ts';
import { maglevTable } from './maglev.ts';
import { parseService } from './service-info.ts';
import { parseSlice } from './slice-info.ts';
import { TableState } from './table-state.ts';
import { RowTable } from '../testing/row-table.ts';
import { service, slice } from '../testing/objects.ts';

test('equal addresses are equal strings', (t) => {
  t.is(canonicalAddress('FD00:0::0001'), 'fd00::1');
  t.is(canonicalAddress('10.0.0.1'), '10.0.0.1');
  for (const bad of ['10.0.0.01', '10.0.0', '::ffff:10.0.0.1', 'fe80::1%eth0', 'web', '', 7, null, undefined]) t.is(canonicalAddress(bad), undefined, String(bad));
});

test('addresses that nothing can be sent to are told as ipaddr.js tells them', (t) => {
  const octet = fc.integer({ min: 0, max: 255 });
  const bad = new Set(['unspecified', 'loopback', 'linkLocal', 'multicast', 'broadcast']);
  fc.assert(fc.property(fc.oneof(fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.')), fc.ipV6().map((text) => canonicalAddress(text) ?? '::2')), (address) => isUsableEndpoint(address) === !bad.has(ipaddr.parse(address).range())));
  for (const [address, usable] of [['0.0.0.0', false], ['169.254.1.1', false], ['::', false], ['::1', false], ['fe80::1', false], ['ff02::1', false], ['fd00::1', true], ['223.255.255.255', true]] as const) t.is(isUsableEndpoint(address), usable, address);
});

test('ranges are merged without losing or adding an address', (t) => {
  const small = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 8 })).map(([first, length]) => ({ first: BigInt(first), last: BigInt(first + length) }));
  fc.assert(fc.property(fc.array(small), (ranges) => {
    const merged = mergeRanges(ranges);
    for (let value = 0n; value < 80n; value++) {
      const inside = (list: readonly { first: bigint; last: bigint }[]): boolean => list.some(({ first, last }) => first <= value && value <= last);
      if (inside(ranges) !== inside(merged)) return false;
    }
    return merged.every((range, index) => index === 0 || range.first > (merged[index - 1]?.last ?? 0n) + 1n);
  }));
  t.pass();
});

test('addresses taken out of ranges are gone from them, and nothing else is', (t) => {
  const range = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 20 })).map(([first, size]) => ({ first: BigInt(first), last: BigInt(first + size) }));
  fc.assert(fc.property(fc.array(range, { maxLength: 4 }), fc.array(fc.integer({ min: 0, max: 65 }).map(BigInt), { maxLength: 6 }), (ranges, out) => {
    const left = withoutAddresses(ranges, out);
    for (let value = 0n; value < 70n; value++) {
      const inside = (list: readonly { first: bigint; last: bigint }[]): boolean => list.some(({ first, last }) => first <= value && value <= last);
      if (inside(left) !== (inside(ranges) && !out.includes(value))) return false;
    }
    return left.every(({ first, last }) => first <= last);
  }));
  t.pass();
});

test('a CIDR with host bits is read as its network, as kube-proxy does', (t) => {
  t.is(parseCidr('10.1.2.3/8')?.text, '10.0.0.0/8');
  t.is(parseCidr('fd00:1::5/64')?.text, 'fd00:1::/64');
  t.is(numberAddress(parseCidr('::/0')?.last ?? 0n, 'ip6'), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  for (const bad of ['10.0.0.0', '10.0.0.0/33', 'x/8', '10.0.0.0/8/8', 5]) t.is(parseCidr(bad), undefined, String(bad));
});

const ignored: readonly (readonly [string, Service])[] = [
  ['headless', service('s', ['None'])],
  ['ExternalName', service('s', ['10.96.0.1'], { type: 'ExternalName' })],
  ['without a cluster IP', service('s', [''])],
  ['labelled for another proxy', { ...service('s', ['10.96.0.1']), metadata: { name: 's', labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }],
  ['labelled headless', { ...service('s', ['10.96.0.1']), metadata: { name: 's', labels: { 'service.kubernetes.io/headless': '' } } }],
];
for (const [what, object] of ignored) test(`a Service ${what} is not ours`, (t) => { t.is(parseService(object), undefined); });

test('a load-balancer address with ipMode Proxy is not captured, one with VIP or without is', (t) => {
  const ingress = [{ ip: '203.0.113.1', ipMode: 'Proxy' }, { ip: '203.0.113.2', ipMode: 'VIP' }, { ip: '203.0.113.3' }, { hostname: 'lb.example' }];
  const info = parseService(service('s', ['10.96.0.1'], { type: 'LoadBalancer' }, { status: { loadBalancer: { ingress } } }));
  t.deepEqual(info?.ip?.loadBalancerIPs, ['203.0.113.2', '203.0.113.3']);
});

test('a source range that holds the node lets the load balancer\'s own address in, too', (t) => {
  const info = parseService(service('s', ['10.96.0.1'], { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.168.77.0/24'] }, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.2' }] } } }));
  const sources = (ips: readonly string[]) => info === undefined ? undefined : desiredService(info, [], 'ip', { name: 'n', zone: undefined, ips })?.ports[0]?.sources?.map(({ first, last }) => `${numberAddress(first, 'ip')}-${numberAddress(last, 'ip')}`);
  t.deepEqual(sources(['192.168.77.1']), ['192.168.77.0-192.168.77.255', '203.0.113.2-203.0.113.2']);
  t.deepEqual(sources(['192.168.78.1']), ['192.168.77.0-192.168.77.255']);
});

test('several slices are merged, an endpoint that is in two counts once, and its ready appearance wins', (t) => {
  const info = parseService(service('s', ['10.96.0.1']));
  const slices = [slice('s-a', 's', [{ address: '10.244.1.2', ready: false, serving: true, terminating: true }]), slice('s-b', 's', [{ address: '10.244.1.2' }, { address: '10.244.1.3' }])].map(parseSlice).filter((entry) => entry !== undefined);
  const wanted = info === undefined ? undefined : desiredService(info, slices, 'ip', { name: 'n', zone: undefined, ips: [] });
  t.deepEqual(wanted?.ports[0]?.cluster.map(({ key }) => key), ['10.244.1.2 8080', '10.244.1.3 8080']);
});

test('endpoint conditions that are absent mean ready and serving', (t) => {
  const parsed = parseSlice({ metadata: { name: 'x', namespace: 'd', labels: { 'kubernetes.io/service-name': 's' } }, addressType: 'IPv4', ports: [{ port: 1 }], endpoints: [{ addresses: ['10.0.0.1'] }] });
  t.like(parsed?.endpoints[0], { isReady: true, isServing: true, isTerminating: false });
});

test('a Maglev table gives each endpoint its share', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), (count) => {
    const table = maglevTable(Array.from({ length: count }, (_, n) => `10.0.0.${n} 80`));
    const shares = Array.from({ length: count }, (_, n) => table.filter((index) => index === n).length);
    return Math.max(...shares) - Math.min(...shares) <= 1 + Math.ceil(251 / count / 2);
  }));
  t.pass();
});

test('10,000 hostile Services and slices: nothing throws, and what is programmed is consistent', (t) => {
  const junk = fc.oneof(fc.constant(undefined), fc.constant(null), fc.integer(), fc.string(), fc.constantFrom('None', '10.96.0.1', 'fd96::1', '0.0.0.0', 'TCP', 'UDP', 'Local', 'LoadBalancer', 'NodePort', 'ClientIP', '1.2.3.4/33'), fc.array(fc.constantFrom('10.96.0.1', '203.0.113.1', '::1', 5, null)), fc.constant({}));
  const port = fc.record({ name: junk, port: fc.oneof(junk, fc.integer({ min: 1, max: 65_535 })), protocol: fc.oneof(junk, fc.constant('TCP')), nodePort: junk });
  const hostileService = fc.record({
    metadata: fc.record({ name: fc.constantFrom('a', 'b', 'c'), namespace: fc.constant('d'), labels: fc.oneof(fc.constant(undefined), fc.dictionary(fc.string(), fc.string())), creationTimestamp: junk }),
    spec: fc.oneof(fc.constant(null), fc.record({ type: junk, clusterIP: fc.oneof(junk, fc.constant('10.96.0.1')), clusterIPs: junk, ports: fc.oneof(junk, fc.array(port, { maxLength: 4 })), externalIPs: junk, loadBalancerSourceRanges: junk, sessionAffinity: junk, sessionAffinityConfig: fc.constantFrom(undefined, {}, { clientIP: {} }, { clientIP: { timeoutSeconds: 'x' } }), externalTrafficPolicy: junk, internalTrafficPolicy: junk })),
    status: fc.constantFrom(undefined, null, {}, { loadBalancer: { ingress: [{ ip: 'x' }, null, 5] } }),
  });
  const hostileSlice = fc.record({ metadata: fc.record({ name: fc.constantFrom('x', 'y'), namespace: fc.constant('d'), labels: fc.constantFrom(undefined, {}, { 'kubernetes.io/service-name': 'a' }, { 'kubernetes.io/service-name': 'b' }) }), addressType: fc.constantFrom('IPv4', 'IPv6', 'FQDN', undefined), ports: fc.oneof(junk, fc.array(port, { maxLength: 3 })), endpoints: fc.oneof(junk, fc.array(fc.oneof(junk, fc.record({ addresses: junk, conditions: junk, nodeName: junk, hints: junk })), { maxLength: 5 })) });
  const state = new TableState('ip');
  const table = new RowTable();
  const slices = new Map<string, ReturnType<typeof parseSlice>>();
  fc.assert(fc.property(hostileService, hostileSlice, (object, sliceObject) => {
    slices.set(sliceObject.metadata.name, parseSlice(sliceObject as never));
    const info = parseService(object as never);
    const key = `d/${object.metadata.name}`;
    const mine = [...slices.values()].filter((entry) => entry !== undefined).filter((entry) => entry.service === key);
    state.update(key, info === undefined ? undefined : desiredService(info, mine, 'ip', { name: 'n', zone: 'z', ips: ['10.0.0.1'] }), table);
    state.retire(table);
  }), { numRuns: 10_000 });
  t.pass();
});
