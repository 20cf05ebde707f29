import test from 'ava';
import type { EndpointSlice, Node, Pod, Service } from '@podwire/kube-client';
import type { RuleRows } from '@podwire/proxy';
import { agreement } from './correlate/agreement.ts';
import type { World } from './correlate/world.ts';
import type { Packet } from './packet/decode.ts';
import { predict } from './predict.ts';
import type { PredictInput } from './predict.ts';

const CLUSTER_IP = 0x8100_0001;
const LOCAL = 0x8300_0001;
const NONE = 0x8400_0001;
const TWIN = 0x4000_0000;

/** The rows of one Service port with these endpoints, `local` of them on this node. */
function rows(value: number, endpoints: readonly string[], local: readonly string[] = []): RuleRows {
  const id = 0x8000_0001;
  const slots = new Map([[id, endpoints], [id + TWIN, local]]);
  const all = [...endpoints, ...local];
  return {
    family: 'ip',
    service: (address, protocol, port) => (address === '10.96.0.5' && protocol === 6 && port === 80 ? value : undefined),
    nodePort: (protocol, port) => (protocol === 6 && port === 30080 ? value : undefined),
    count: (asked) => slots.get(asked)?.length || undefined,
    slot: (asked, index) => all.indexOf(slots.get(asked)?.[index] ?? '') + 1,
    endpoint: (asked) => (all[asked - 1] === undefined ? undefined : { address: all[asked - 1]!, port: 8080 }),
    sticky: () => undefined, isLive: () => false, affinity: () => undefined, isSourceOk: () => true,
    isServiceIp: (address) => address === '10.96.0.5',
    inSet: (set, address) => address.startsWith({ 'svc-net': '10.96.', 'pod-net': '10.244.', 'node-ip': '192.168.' }[set]),
    isHairpin: (address) => local.includes(address),
  };
}

const node = (number: number): Node => ({ metadata: { name: `node${number}` }, status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${number}` }] } });
const pod = (name: string, ip: string, nodeName: string): Pod => ({ metadata: { namespace: 'default', name }, spec: { nodeName, containers: [] }, status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } });
const service: Service = { metadata: { namespace: 'default', name: 'web' }, spec: { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'], ports: [{ name: 'http', port: 80, nodePort: 30080 }] } };
const slice = (addresses: readonly string[]): EndpointSlice => ({ addressType: 'IPv4', metadata: { namespace: 'default', name: 'web-x', labels: { 'kubernetes.io/service-name': 'web' } }, ports: [{ name: 'http', port: 8080 }], endpoints: addresses.map((address) => ({ addresses: [address] })) });
const world = (addresses: readonly string[]): World => ({ nodes: [node(1), node(2)], pods: [pod('client', '10.244.1.2', 'node1'), pod('web-1', '10.244.1.3', 'node1'), pod('web-2', '10.244.2.3', 'node2')], services: [service], slices: [slice(addresses)] });

const both = ['10.244.1.3', '10.244.2.3'];
const input = (value: number, extra: Partial<PredictInput> & { readonly endpoints?: readonly string[]; readonly local?: readonly string[] } = {}): PredictInput => {
  const { endpoints = both, local, ...rest } = extra;
  const here = (address: string): { readonly rows: RuleRows; readonly addresses: readonly string[] } => ({ rows: rows(value, endpoints, local), addresses: [address, `10.244.${address.at(-1) ?? ''}.1`] });
  return {
    world: world(both), host: '10.96.0.5', port: 80, protocol: 'tcp', source: '10.244.1.2', first: 'node1', isNodeItself: false,
    rules: new Map([['node1', here('192.168.0.1')], ['node2', here('192.168.0.2')]]), ...rest,
  };
};

test('a pod that asks a cluster IP reaches one of its endpoints and keeps its source; the rules on the way are told', (t) => {
  const { finding, ...predicted } = predict(input(CLUSTER_IP));
  t.is(finding, undefined);
  t.like(predicted, { outcome: 'endpoints', text: 'one of 2 endpoints of Service default/web: 10.244.1.3:8080 (default/web-1 on node1), 10.244.2.3:8080 (default/web-2 on node2)' });
  t.deepEqual(predicted.endpoints, both.map((address) => ({ address: `${address}:8080`, share: 0.5, sources: ['10.244.1.2'] })));
  t.true(predicted.steps.some((step) => step.node === 'node1' && step.chain === 'to-endpoint'));
});

test('who comes from elsewhere is masqueraded by the node that translates', (t) => {
  const { text, endpoints } = predict(input(CLUSTER_IP, { source: '192.168.0.9' }));
  t.regex(text, /; the source becomes node1's$/);
  t.true(endpoints.every(({ sources }) => sources.includes('192.168.0.1') && !sources.includes('192.168.0.9')));
});

test("a pod's packet to an endpoint outside the pods leaves with the node's address; one for the node itself keeps its own", (t) => {
  const { endpoints } = predict(input(CLUSTER_IP, { endpoints: ['172.16.0.1', '192.168.0.1'] }));
  t.deepEqual(endpoints.map(({ sources }) => sources), [['192.168.0.1', '10.244.1.1'], ['10.244.1.2']]);
});

test('a node port of another node is decided by that node, which sees the sending node: policy Local drops without an endpoint there', (t) => {
  const asked = { host: '192.168.0.2', port: 30080 };
  t.like(predict(input(LOCAL, { ...asked, local: [] })), { outcome: 'dropped', text: 'dropped: no endpoint for this policy (node2, chain to-endpoint)' });
  const delivered = predict(input(LOCAL, { ...asked, local: ['10.244.2.3'] }));
  t.deepEqual(delivered.endpoints, [{ address: '10.244.2.3:8080', share: 1, sources: ['192.168.0.1'] }]);
});

test('what is no Service\'s goes straight there; a refusal says how; without rules nothing is foretold', (t) => {
  t.like(predict(input(CLUSTER_IP, { host: '10.244.2.3', port: 8080 })), { outcome: 'direct', text: "straight to default/web-2 on node2: the address is no Service's" });
  t.like(predict(input(NONE, { world: world([]) })), { outcome: 'refused', text: 'refused (tcp reset): the Service has no endpoint at all (node1, chain no-endpoints)' });
  t.like(predict(input(CLUSTER_IP, { rules: new Map() })), { outcome: 'unknown', text: 'nothing: node1 runs no proxy' });
});

test('rules that are not what the objects ask for are a finding', (t) => {
  t.regex(predict(input(CLUSTER_IP, { endpoints: ['10.244.1.3', '10.244.2.9'] })).finding ?? '', /the rules of node1 lead to 10\.244\.2\.9:8080, which Service default\/web does not have as an endpoint; does the agent of node1 run\?/);
  t.regex(predict(input(NONE)).finding ?? '', /the rules of node1 refuse Service default\/web, which has 2 endpoints in the API/);
  t.regex(predict(input(CLUSTER_IP, { world: { ...world(both), services: [] } })).finding ?? '', /the rules of node1 still serve 10\.96\.0\.5:80, which is no Service's/);
  t.is(predict(input(CLUSTER_IP, { endpoints: ['10.244.1.3'] })).finding, undefined); // a policy or affinity may leave some out
});

const seen = (source: string, destination: string, destinationPort: number): Packet => ({ family: 'ip', protocol: 'tcp', source, destination, destinationPort, sourcePort: 40_000, ttl: 64, length: 60, dontFragment: true, fragmentOffset: 0 });

test('observation and prediction agree on endpoint and source, on a refusal, on a drop; and on nothing else', (t) => {
  const predicted = predict(input(CLUSTER_IP));
  t.true(agreement(predicted, 'DELIVERED', seen('10.244.1.2', '10.244.2.3', 8080)));
  t.true(agreement(predicted, 'REJECTED', seen('10.244.1.2', '10.244.2.3', 8080)), 'the pod itself refused');
  t.false(agreement(predicted, 'DELIVERED', seen('192.168.0.1', '10.244.2.3', 8080)), 'masqueraded against the rules');
  t.false(agreement(predicted, 'DELIVERED', seen('10.244.1.2', '10.244.2.9', 8080)), 'another endpoint');
  t.false(agreement(predicted, 'DROPPED', seen('10.244.1.2', '10.244.2.3', 8080)));
  const refused = predict(input(NONE, { world: world([]) }));
  t.true(agreement(refused, 'REJECTED', undefined));
  t.false(agreement(refused, 'DROPPED', undefined));
  t.true(agreement(predict(input(CLUSTER_IP, { host: '10.96.0.9' })), 'DROPPED', undefined));
});
