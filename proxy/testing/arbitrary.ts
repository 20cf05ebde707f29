// Random clusters for property tests: few names and addresses, so that they collide; changes as put and remove.
import fc from 'fast-check';
import type { EndpointSlice, Service } from '@podwire/kube-client';
import { service, slice } from './objects.ts';

const NAMES = ['s0', 's1', 's2', 's3'] as const;

const ports = fc.uniqueArray(fc.record({ protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'), port: fc.integer({ min: 80, max: 82 }), node: fc.integer({ min: 30_000, max: 30_003 }) }), { minLength: 1, maxLength: 3, selector: ({ protocol, port }) => `${protocol}${port}` });

export const arbitraryService: fc.Arbitrary<Service> = fc.record({
  name: fc.constantFrom(...NAMES), ip: fc.integer({ min: 1, max: 4 }), type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'), ports,
  external: fc.option(fc.constantFrom(['203.0.113.1', '2001:db8::1'], ['203.0.113.2', '2001:db8::2']), { nil: undefined }), lb: fc.boolean(), dual: fc.boolean(),
  etp: fc.constantFrom('Cluster', 'Local'), itp: fc.constantFrom('Cluster', 'Local'),
  affinity: fc.option(fc.constantFrom(5, 10_800), { nil: undefined }), ranges: fc.option(fc.constantFrom(['10.0.0.0/8', '10.244.1.0/24', 'fd44:1::/64'], ['198.51.100.0/24', 'fd77::/64']), { nil: undefined }),
  hashed: fc.boolean(), age: fc.integer({ min: 0, max: 3 }),
}).map(({ name, ip, type, ports: list, external, lb, dual, etp, itp, affinity, ranges, hashed, age }) => service(name, dual ? [`10.96.0.${ip}`, `fd96::${ip}`] : [`10.96.0.${ip}`], {
  type,
  ports: list.map(({ protocol, port, node }) => ({ name: `${protocol}${port}`.toLowerCase(), protocol, port, ...(type === 'ClusterIP' ? {} : { nodePort: node }) })),
  externalTrafficPolicy: etp, internalTrafficPolicy: itp,
  ...(external === undefined ? {} : { externalIPs: [...external] }),
  ...(affinity === undefined ? {} : { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
  ...(ranges === undefined || type !== 'LoadBalancer' ? {} : { loadBalancerSourceRanges: [...ranges] }),
}, {
  metadata: { name, namespace: 'default', creationTimestamp: `2026-01-0${age + 1}T00:00:00Z`, ...(hashed ? { annotations: { 'podwire.dev/load-balancing': 'consistent-hash' } } : {}) },
  ...(lb ? { status: { loadBalancer: { ingress: [{ ip: '203.0.113.3' }, { ip: '2001:db8::3' }] } } } : {}),
}));

const endpoint = (family: 4 | 6) => fc.record({ n: fc.integer({ min: 2, max: 9 }), node: fc.constantFrom('node1', 'node2', undefined), state: fc.constantFrom('ready', 'ready', 'terminating', 'gone') }).map(({ n, node, state }) => ({
  address: family === 4 ? `10.244.1.${n}` : `fd44:1::${n}`, ...(node === undefined ? {} : { node }),
  ready: state === 'ready', serving: state !== 'gone', terminating: state !== 'ready',
}));

export const arbitrarySlice: fc.Arbitrary<EndpointSlice> = fc.constantFrom<4 | 6>(4, 4, 6).chain((family) => fc.record({
  of: fc.constantFrom(...NAMES), n: fc.integer({ min: 0, max: 1 }), endpoints: fc.array(endpoint(family), { maxLength: 6 }),
  ports: fc.subarray(['tcp80', 'tcp81', 'tcp82', 'udp80', 'udp81', 'udp82', 'sctp80'], { minLength: 3 }),
}).map(({ of, n, endpoints, ports: names }) => ({
  ...slice(`${of}-${n}-${family}`, of, endpoints, names.map((name) => ({ name, protocol: name.replace(/\d+/, '').toUpperCase(), port: 8000 + Number(name.replace(/\D+/, '')) }))),
  addressType: family === 4 ? 'IPv4' : 'IPv6',
})));

export type ClusterChange = { readonly kind: 'service'; readonly object: Service } | { readonly kind: 'slice'; readonly object: EndpointSlice } | { readonly kind: 'remove-service' | 'remove-slice'; readonly key: string };

export const arbitraryChange: fc.Arbitrary<ClusterChange> = fc.oneof(
  { weight: 4, arbitrary: arbitraryService.map((object): ClusterChange => ({ kind: 'service', object })) },
  { weight: 6, arbitrary: arbitrarySlice.map((object): ClusterChange => ({ kind: 'slice', object })) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES).map((name): ClusterChange => ({ kind: 'remove-service', key: `default/${name}` })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 1 }), fc.constantFrom(4, 6)).map(([name, n, family]): ClusterChange => ({ kind: 'remove-slice', key: `default/${name}-${n}-${family}` })) },
);
