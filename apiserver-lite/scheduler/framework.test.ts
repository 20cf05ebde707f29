import test from 'ava';
import type { Node, Pod } from '@podwire/kube-client';
import { decide, describeRefusals } from './framework.ts';
import { defaultFilters, defaultScorers } from './plugins/index.ts';
import { nodeInfo, podRequests } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

type PodSpec = NonNullable<Pod['spec']>;

const node = (name: string, extra: { labels?: Record<string, string>; spec?: Node['spec']; cpu?: string } = {}): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...extra.labels } },
  spec: extra.spec ?? {},
  status: { allocatable: { cpu: extra.cpu ?? '2', memory: '4Gi', pods: '110' } },
});

const pod = (name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod => ({ metadata: { name, namespace: 'default', uid: name, labels }, spec: { containers: [{ name: 'c' }], ...spec } });
const cpu = (amount: string): Partial<PodSpec> => ({ containers: [{ name: 'c', resources: { requests: { cpu: amount } } }] });
const owned = (name: string, owner: string): Pod => ({ ...pod(name), metadata: { ...pod(name).metadata, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] } });

const snapshot = (nodes: readonly (readonly [Node, readonly Pod[]])[]): Snapshot => ({ nodes: nodes.map(([one, pods]) => nodeInfo(one, pods)), namespaceLabels: () => ({}) });
const choose = (one: Pod, nodes: Parameters<typeof snapshot>[0]) => decide(one, snapshot(nodes), defaultFilters, defaultScorers);

test('a pod needs the sum of its containers, or its largest init container beside the sidecars', (t) => {
  const one = pod('p', { containers: [{ name: 'a', resources: { requests: { cpu: '1' } } }, { name: 'b', resources: { limits: { cpu: '500m' } } }], initContainers: [{ name: 's', restartPolicy: 'Always', resources: { requests: { cpu: '250m' } } }, { name: 'i', resources: { requests: { cpu: '3' } } }] });
  t.is(podRequests(one).get('cpu'), 3.25);
});

test('each node that cannot take the pod says why, in the words of kube-scheduler', (t) => {
  const decision = choose(pod('p', { ...cpu('1500m'), nodeSelector: { disk: 'ssd' } }), [
    [node('cordoned', { labels: { disk: 'ssd' }, spec: { unschedulable: true } }), []],
    [node('tainted', { labels: { disk: 'ssd' }, spec: { taints: [{ key: 'team', value: 'a', effect: 'NoSchedule' }] } }), []],
    [node('spinning'), []],
    [node('full', { labels: { disk: 'ssd' } }), [pod('q', cpu('1'))]],
  ]);
  t.is(decision.node, undefined);
  t.is(describeRefusals(decision), "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {team: a}, 1 node(s) were unschedulable.");
});

test('no node at all is said as such', (t) => {
  t.is(describeRefusals(choose(pod('p'), [])), '0/0 nodes are available: no nodes available to schedule pods.');
});

test('a toleration opens a tainted node, and a soft taint only lowers its score', (t) => {
  const taints = [{ key: 'team', value: 'a', effect: 'NoSchedule' }];
  t.is(choose(pod('p', { tolerations: [{ key: 'team', operator: 'Exists' }] }), [[node('n1', { spec: { taints } }), []]]).node, 'n1');
  t.is(choose(pod('p'), [[node('n1', { spec: { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] } }), []], [node('n2'), []]]).node, 'n2');
});

test('pods of one owner spread over the nodes, and the emptier node wins among equals', (t) => {
  t.is(choose(owned('c', 'rs'), [[node('n1'), [owned('a', 'rs')]], [node('n2'), [owned('b', 'rs')]], [node('n3'), []]]).node, 'n3');
  t.is(choose(pod('p', cpu('100m')), [[node('n1'), [pod('q', cpu('1'))]], [node('n2'), []]]).node, 'n2');
});

test('a host port is taken once per node, address and protocol', (t) => {
  const web = (name: string, hostIP?: string): Pod => pod(name, { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080, ...(hostIP === undefined ? {} : { hostIP }) }] }] });
  t.is(choose(web('b'), [[node('n1'), [web('a')]]]).node, undefined);
  t.is(choose(web('b', '10.0.0.2'), [[node('n1'), [web('a', '10.0.0.1')]]]).node, 'n1');
});

test('DoNotSchedule constraints bound the skew between zones', (t) => {
  const zone = (name: string, label: string): Node => node(name, { labels: { zone: label } });
  const spread = pod('p', { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'w' } } }] }, { app: 'w' });
  const has = (name: string): Pod => pod(name, {}, { app: 'w' });
  t.is(choose(spread, [[zone('n1', 'a'), [has('1')]], [zone('n2', 'b'), []]]).node, 'n2');
  const stuck = choose(spread, [[zone('n1', 'a'), [has('1')]], [node('n2', { labels: { zone: 'b' }, spec: { unschedulable: true } }), []]]);
  t.regex(describeRefusals(stuck), /1 node\(s\) didn't match pod topology spread constraints/);
});

test('required affinity keeps together, anti-affinity apart, in both directions', (t) => {
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } };
  const db = pod('db', {}, { app: 'db' });
  const near = pod('near', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } });
  const away = pod('away', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } });
  t.is(choose(near, [[node('n1'), []], [node('n2'), [db]]]).node, 'n2');
  t.is(choose(away, [[node('n1'), []], [node('n2'), [db]]]).node, 'n1');
  t.is(choose(db, [[node('n1'), [away]], [node('n2'), []]]).node, 'n2');
  t.is(choose(near, [[node('n1'), []]]).node, undefined);
  t.is(choose({ ...near, metadata: { ...near.metadata, labels: { app: 'db' } } }, [[node('n1'), []]]).node, 'n1');
});

test('every verdict names the points of each plugin', (t) => {
  const { verdicts } = choose(pod('p'), [[node('n1'), []]]);
  t.deepEqual([...(verdicts[0]?.points?.keys() ?? [])].sort(), ['ImageLocality', 'InterPodAffinity', 'NodeAffinity', 'NodeResourcesBalancedAllocation', 'NodeResourcesFit', 'PodTopologySpread', 'TaintToleration']);
});
