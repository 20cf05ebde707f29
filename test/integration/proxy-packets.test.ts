// Every row of the semantics table with real packets: which endpoint answered, which source it saw, refused or silent; and the
// pure model, asked the same, must agree.
import test from 'ava';
import { resources } from '@podwire/kube-client';
import type { Service } from '@podwire/kube-client';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import type { EndpointWords } from '../../proxy/testing/objects.ts';
import { startApiUnderTest } from '../helpers/api-under-test.ts';

type From = 'a' | 'c' | 'node1' | 'outside';
type Where = 'cluster' | 'node' | 'lb' | 'lb-proxy' | 'external' | 'other-port' | 'unallocated';

type Words = readonly string[] | 'refused' | 'silent' | 'passed by';

interface Case {
  readonly title: string;
  readonly spec?: Partial<NonNullable<Service['spec']>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Load-balancer and external addresses, as the last group of 203.0.113.N and 2001:db8::N. */
  readonly lb?: number;
  /** A second address of the load balancer, with ipMode Proxy. */
  readonly lbProxy?: number;
  readonly external?: number;
  readonly endpoints: (family: 0 | 1) => readonly EndpointWords[];
  /** Endpoints of the UDP port, when they differ. */
  readonly udpEndpoints?: (family: 0 | 1) => readonly EndpointWords[];
  /**
   * Source, where it sends, who may answer and which source they see (`pod`: the sender's own, `node`: masqueraded); or refused, silent,
   * or passed by: no rule takes it, and the world outside, which has that address here, answers. Per protocol when they differ.
   */
  readonly expect: readonly (readonly [From, Where, Words | { readonly tcp: Words; readonly udp: Words }])[];
}

const b = (extra: Partial<EndpointWords> = {}) => (family: 0 | 1): EndpointWords => ({ address: ADDRESSES.b[family], node: 'node1', ...extra });
const c = (extra: Partial<EndpointWords> = {}) => (family: 0 | 1): EndpointWords => ({ address: ADDRESSES.c[family], node: 'node2', ...extra });
const of = (...makers: ((family: 0 | 1) => EndpointWords)[]) => (family: 0 | 1): EndpointWords[] => makers.map((make) => make(family));

const cases: readonly Case[] = [
  { title: 'a cluster IP reaches ready endpoints on both nodes; a pod keeps its address, the node and the world are masqueraded', endpoints: of(b(), c(), (f) => ({ address: ADDRESSES.a[f], ready: false })),
    expect: [['a', 'cluster', ['b pod', 'c pod']], ['c', 'cluster', ['b pod', 'c node']], ['node1', 'cluster', ['b node', 'c node']], ['outside', 'cluster', ['b node', 'c node']]] },
  { title: 'a port that an allocated cluster IP does not have is refused, an unallocated address in the Service CIDR is silent', endpoints: of(b()),
    expect: [['a', 'other-port', 'refused'], ['node1', 'other-port', 'refused'], ['outside', 'other-port', 'refused'], ['a', 'unallocated', 'silent'], ['outside', 'unallocated', 'silent']] },
  { title: 'a node port with policy Cluster reaches all endpoints, masqueraded', spec: { type: 'NodePort' }, endpoints: of(b(), c()),
    expect: [['outside', 'node', ['b node', 'c node']], ['a', 'node', ['b node', 'c node']], ['node1', 'node', ['b node', 'c node']]] },
  { title: 'a node port with policy Local keeps the source of the world outside and uses local endpoints; pods and the node use all', spec: { type: 'NodePort', externalTrafficPolicy: 'Local' }, endpoints: of(b(), c()),
    expect: [['outside', 'node', ['b pod']], ['a', 'node', ['b pod', 'c pod']], ['node1', 'node', ['b node', 'c node']], ['a', 'cluster', ['b pod', 'c pod']]] },
  { title: 'policy Local without a local endpoint is silent to the world outside and not to pods', spec: { type: 'NodePort', externalTrafficPolicy: 'Local' }, endpoints: of(c()),
    expect: [['outside', 'node', 'silent'], ['a', 'node', ['c pod']], ['node1', 'node', ['c node']]] },
  { title: 'policy Local with no endpoint anywhere is refused', spec: { type: 'NodePort', externalTrafficPolicy: 'Local' }, endpoints: of(),
    expect: [['outside', 'node', 'refused'], ['a', 'node', 'refused']] },
  { title: 'a load-balancer address is captured like an external IP', spec: { type: 'LoadBalancer' }, lb: 10, external: 11, endpoints: of(b(), c()),
    expect: [['outside', 'lb', ['b node', 'c node']], ['a', 'lb', ['b node', 'c node']], ['outside', 'external', ['b node', 'c node']], ['outside', 'node', ['b node', 'c node']]] },
  { title: 'a load-balancer address with policy Local keeps the source', spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }, lb: 12, endpoints: of(b(), c()),
    expect: [['outside', 'lb', ['b pod']], ['a', 'lb', ['b pod', 'c pod']]] },
  { title: 'source ranges bind the load-balancer address only', spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.244.1.2/32', 'fd44:1::2/128', '198.51.100.0/24'] }, lb: 13, external: 14, endpoints: of(b()),
    expect: [['outside', 'lb', 'silent'], ['a', 'lb', ['b node']], ['c', 'lb', 'silent'], ['outside', 'external', ['b node']], ['outside', 'node', ['b node']], ['outside', 'cluster', ['b node']]] },
  { title: 'source ranges come before policy Local and before the refusal of a Service without endpoints', spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['192.168.77.100/32', 'fd77::100/128'] }, lb: 15, endpoints: of(),
    expect: [['outside', 'lb', 'refused'], ['a', 'lb', 'silent']] },
  { title: 'internalTrafficPolicy Local uses local endpoints for the cluster IP', spec: { internalTrafficPolicy: 'Local', type: 'NodePort' }, endpoints: of(b(), c()),
    expect: [['a', 'cluster', ['b pod']], ['node1', 'cluster', ['b node']], ['outside', 'node', ['b node', 'c node']]] },
  { title: 'internalTrafficPolicy Local without a local endpoint is silent', spec: { internalTrafficPolicy: 'Local' }, endpoints: of(c()), expect: [['a', 'cluster', 'silent']] },
  { title: 'a Service without endpoints is refused everywhere', spec: { type: 'LoadBalancer' }, lb: 16, external: 17, endpoints: of(),
    expect: [['a', 'cluster', 'refused'], ['node1', 'cluster', 'refused'], ['outside', 'node', 'refused'], ['outside', 'lb', 'refused'], ['outside', 'external', 'refused']] },
  { title: 'a pod that reaches itself through its Service gets an answer', endpoints: of((f) => ({ address: ADDRESSES.a[f], node: 'node1' })), expect: [['a', 'cluster', ['a node']], ['node1', 'cluster', ['a node']]] },
  { title: 'when no endpoint is ready, serving and terminating ones answer', endpoints: of(b({ ready: false, serving: true, terminating: true }), c({ ready: false, serving: false, terminating: true })), expect: [['a', 'cluster', ['b pod']]] },
  { title: 'the fallback to terminating endpoints is decided apart for Cluster and Local', spec: { type: 'NodePort', externalTrafficPolicy: 'Local' }, endpoints: of(b({ ready: false, serving: true, terminating: true }), c()),
    expect: [['a', 'cluster', ['c pod']], ['outside', 'node', ['b pod']]] },
  { title: 'node hints keep traffic on the node, zone hints in the zone, and half-given hints count for nothing', endpoints: of(b({ nodes: ['node1'] }), c({ nodes: ['node2'] })), expect: [['a', 'cluster', ['b pod']]] },
  { title: 'zone hints for this zone are followed', endpoints: of(b({ zones: ['zone-b'] }), c({ zones: ['zone-a'] })), expect: [['a', 'cluster', ['c pod']]] },
  { title: 'an address of the load balancer with ipMode Proxy is left alone, beside one with VIP that is captured', spec: { type: 'LoadBalancer' }, lb: 18, lbProxy: 19, endpoints: of(b(), c()),
    expect: [['outside', 'lb', ['b node', 'c node']], ['a', 'lb', ['b node', 'c node']], ['a', 'lb-proxy', 'passed by'], ['node1', 'lb-proxy', 'passed by']] },
  { title: 'a Service labelled for another proxy is left alone, and its cluster IP is not taken for an unallocated one', labels: { 'service.kubernetes.io/service-proxy-name': 'other' }, endpoints: of(b()),
    expect: [['a', 'cluster', 'passed by'], ['node1', 'cluster', 'passed by']] },
  { title: 'a Service labelled headless is left alone', labels: { 'service.kubernetes.io/headless': '' }, endpoints: of(b()), expect: [['a', 'cluster', 'passed by'], ['node1', 'cluster', 'passed by']] },
  { title: 'with publishNotReadyAddresses, which makes the slice say ready, endpoints that serve nothing yet or terminate are used', spec: { publishNotReadyAddresses: true }, endpoints: of(b({ ready: true, serving: false, terminating: true }), c({ ready: true, serving: false })),
    expect: [['a', 'cluster', ['b pod', 'c pod']], ['outside', 'cluster', ['b node', 'c node']]] },
  { title: 'TCP and UDP on one port number have each their own endpoints', spec: { type: 'NodePort' }, endpoints: of(b()), udpEndpoints: of(c()),
    expect: [['a', 'cluster', { tcp: ['b pod'], udp: ['c pod'] }], ['outside', 'node', { tcp: ['b node'], udp: ['c node'] }]] },
  { title: 'TCP and UDP on one port number: one without endpoints is refused, the other answers', spec: { type: 'LoadBalancer' }, lb: 20, endpoints: of(), udpEndpoints: of(b()),
    expect: [['a', 'cluster', { tcp: 'refused', udp: ['b pod'] }], ['outside', 'lb', { tcp: 'refused', udp: ['b node'] }]] },
  { title: 'hints that not every ready endpoint has are ignored', endpoints: of(b({ zones: ['zone-a'] }), c()), expect: [['a', 'cluster', ['b pod', 'c pod']]] },
];

let harness: Harness;
test.before(async () => {
  harness = await createHarness({}, startApiUnderTest);
  cases.forEach((entry, n) => { put(entry, n); });
  await harness.lab.answerOutside(cases.flatMap((entry, n) => ([0, 1] as const).flatMap((family) => [
    ...(entry.lbProxy === undefined ? [] : [externalIP(entry.lbProxy, family)]), ...(entry.labels === undefined ? [] : [clusterIP(n, family)]),
  ])));
  await harness.synced();
});
test.after.always(async () => { await harness[Symbol.asyncDispose](); });

const clusterIP = (n: number, family: number): string => (family === 0 ? `10.96.1.${n + 1}` : `fd96::${(0x100 + n).toString(16)}`);
const externalIP = (n: number, family: number): string => (family === 0 ? `203.0.113.${n}` : `2001:db8::${n}`);

function put(entry: Case, n: number): void {
  const name = `case-${n}`;
  const nodePort = entry.spec?.type === undefined ? {} : { nodePort: 30_100 + n };
  const ports = [{ name: 't', protocol: 'TCP', port: 80, ...nodePort }, { name: 'u', protocol: 'UDP', port: 80, ...nodePort }];
  harness.api.put(resources.services, service(name, [clusterIP(n, 0), clusterIP(n, 1)], { ports, ...(entry.external === undefined ? {} : { externalIPs: [externalIP(entry.external, 0), externalIP(entry.external, 1)] }), ...entry.spec }, {
    ...(entry.labels === undefined ? {} : { metadata: { labels: { ...entry.labels } } }),
    ...(entry.lb === undefined ? {} : { status: { loadBalancer: { ingress: [0, 1].flatMap((family) => [
      { ip: externalIP(entry.lb ?? 0, family), ...(entry.lbProxy === undefined ? {} : { ipMode: 'VIP' }) },
      ...(entry.lbProxy === undefined ? [] : [{ ip: externalIP(entry.lbProxy, family), ipMode: 'Proxy' }]),
    ]) } } }),
  }));
  const { endpoints, udpEndpoints } = entry;
  for (const family of [0, 1] as const) {
    const suffix = family === 0 ? 4 : 6;
    if (udpEndpoints === undefined) harness.api.put(resources.endpointSlices, slice(`${name}-${suffix}`, name, endpoints(family)));
    else {
      harness.api.put(resources.endpointSlices, slice(`${name}-t-${suffix}`, name, endpoints(family), [{ name: 't', protocol: 'TCP', port: 8080 }]));
      harness.api.put(resources.endpointSlices, slice(`${name}-u-${suffix}`, name, udpEndpoints(family), [{ name: 'u', protocol: 'UDP', port: 8080 }]));
    }
  }
}

function target(where: Where, n: number, entry: Case, family: 0 | 1): { host: string; port: number } {
  switch (where) {
    case 'cluster': return { host: clusterIP(n, family), port: 80 };
    case 'other-port': return { host: clusterIP(n, family), port: 81 };
    case 'unallocated': return { host: family === 0 ? '10.96.200.200' : 'fd96::ffff', port: 80 };
    case 'node': return { host: ADDRESSES.node1[family], port: 30_100 + n };
    case 'lb': return { host: externalIP(entry.lb ?? 0, family), port: 80 };
    case 'lb-proxy': return { host: externalIP(entry.lbProxy ?? 0, family), port: 80 };
    case 'external': return { host: externalIP(entry.external ?? 0, family), port: 80 };
  }
}

function expected(words: Words, from: From, family: 0 | 1, protocol: string): string[] {
  const isNodeUdp = from === 'node1' && protocol === 'udp';
  if (words === 'refused') return [isNodeUdp ? 'EPERM' : 'ECONNREFUSED'];
  if (words === 'silent') return [isNodeUdp ? 'EPERM' : 'ETIMEDOUT'];
  if (words === 'passed by') return [`outside|${ADDRESSES[from][family]}`];
  return words.map((text) => {
    const [name = '', source] = text.split(' ');
    const masqueraded = name === 'c' ? ADDRESSES.node1[family] : family === 0 ? '10.244.1.1' : 'fd44:1::1';
    return `${name}|${source === 'node' ? masqueraded : ADDRESSES[from][family]}`;
  }).sort();
}

for (const [n, entry] of cases.entries()) {
  test.serial(entry.title, async (t) => {
    for (const [from, where, either] of entry.expect) {
      if (from === 'c') continue; // asked below: c sits behind node2, where no proxy runs
      for (const family of [0, 1] as const) {
        for (const protocol of ['tcp', 'udp'] as const) {
          const words = typeof either === 'object' && 'tcp' in either ? either[protocol] : either;
          const question = { from: harness.lab[from], protocol, ...target(where, n, entry, family), timeoutMs: words === 'silent' ? 250 : 1500, count: words === 'silent' || words === 'refused' ? 1 : 16 };
          const name = `${from} -> ${question.host} ${question.port}/${protocol}`;
          const wanted = expected(words, from, family, protocol);
          t.deepEqual(await harness.ask(question), wanted, name);
          t.deepEqual(await harness.predict(question), words === 'passed by' ? ['untouched'] : wanted, `model: ${name}`);
        }
      }
    }
  });
}
