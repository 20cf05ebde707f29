// UDP flows have no end of their own: what a change makes stale must be forgotten by the time the proxy says that it is synced, and
// nothing else may be. The flows go on from one source port, as a resolver's or a game's do.
import test from 'ava';
import { Conntrack } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import type { Service } from '@podwire/kube-client';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import type { EndpointWords } from '../../proxy/testing/objects.ts';

type Spec = Partial<NonNullable<Service['spec']>>;
type From = 'a' | 'outside' | 'node1';
type Step =
  | { readonly kind: 'endpoints'; readonly pods: readonly (keyof typeof PODS)[] }
  | { readonly kind: 'service'; readonly spec: Spec }
  | { readonly kind: 'delete' };

const PODS = {
  b: { node: 'node1', words: {} }, c: { node: 'node2', words: {} },
  'b terminating': { node: 'node1', words: { ready: false, serving: true, terminating: true } },
} as const;
const endpoints = (...pods: (keyof typeof PODS)[]): Step => ({ kind: 'endpoints', pods });
const spec = (changes: Spec): Step => ({ kind: 'service', spec: changes });

/** What happens to a Service, and who answers its flow afterwards: a pod, `refused`, or `silent`. */
interface Story {
  readonly title: string;
  readonly from: From;
  readonly to: 'cluster' | 'node' | 'external';
  readonly spec: Spec;
  readonly steps: readonly (readonly [Step, answer: 'b' | 'c' | 'refused' | 'silent'])[];
}

const stories: readonly Story[] = [
  { title: 'its endpoint is replaced, and replaced again', from: 'a', to: 'cluster', spec: {}, steps: [[endpoints('b'), 'b'], [endpoints('c'), 'c'], [endpoints('b'), 'b']] },
  { title: 'it scales to zero and back', from: 'a', to: 'cluster', spec: {}, steps: [[endpoints('b'), 'b'], [endpoints(), 'refused'], [endpoints('c'), 'c'], [endpoints(), 'refused'], [endpoints('b'), 'b']] },
  { title: 'it is deleted and comes back', from: 'a', to: 'cluster', spec: {}, steps: [[endpoints('b'), 'b'], [{ kind: 'delete' }, 'silent'], [spec({}), 'b']] },
  { title: 'its internalTrafficPolicy becomes Local, and Cluster again', from: 'a', to: 'cluster', spec: {}, steps: [[endpoints('c'), 'c'], [spec({ internalTrafficPolicy: 'Local' }), 'silent'], [endpoints('b', 'c'), 'b'], [endpoints('c'), 'silent'], [spec({ internalTrafficPolicy: 'Cluster' }), 'c']] },
  { title: 'its endpoint terminates and another is ready', from: 'a', to: 'cluster', spec: {}, steps: [[endpoints('b'), 'b'], [endpoints('b terminating'), 'b'], [endpoints('b terminating', 'c'), 'c'], [endpoints('c'), 'c']] },
  { title: 'a node port: replaced, none, back', from: 'outside', to: 'node', spec: { type: 'NodePort' }, steps: [[endpoints('b'), 'b'], [endpoints('c'), 'c'], [endpoints(), 'refused'], [endpoints('b'), 'b']] },
  { title: 'a node port with policy Local: the local endpoint goes and comes back', from: 'outside', to: 'node', spec: { type: 'NodePort', externalTrafficPolicy: 'Local' }, steps: [[endpoints('b', 'c'), 'b'], [endpoints('c'), 'silent'], [endpoints('b', 'c'), 'b']] },
  { title: 'an external address: taken away and given back', from: 'outside', to: 'external', spec: {}, steps: [[endpoints('b'), 'b'], [endpoints('c'), 'c'], [endpoints(), 'refused'], [endpoints('c'), 'c']] },
  { title: 'flows of the node itself', from: 'node1', to: 'cluster', spec: {}, steps: [[endpoints('b'), 'b'], [endpoints('c'), 'c'], [endpoints(), 'refused'], [endpoints('c'), 'c']] },
];

let harness: Harness;
let conntrack: Conntrack;
test.before(async () => {
  harness = await createHarness();
  conntrack = Conntrack.open();
});
test.after.always(async () => {
  conntrack.close();
  await harness[Symbol.asyncDispose]();
});

const address = (n: number, to: Story['to'], family: 0 | 1): string => {
  if (to === 'node') return ADDRESSES.node1[family];
  if (to === 'external') return family === 0 ? `203.0.113.${n + 1}` : `2001:db8::${n + 1}`;
  return family === 0 ? `10.96.3.${n + 1}` : `fd96::3:${n + 1}`;
};

function apply(n: number, story: Story, step: Step): void {
  const name = `story-${n}`;
  const { api } = harness;
  if (step.kind === 'delete') api.remove(resources.services, `default/${name}`);
  else if (step.kind === 'service') {
    const externalIPs = story.to === 'external' ? { externalIPs: [address(n, 'external', 0), address(n, 'external', 1)] } : {};
    const nodePort = story.to === 'node' ? { nodePort: 30_300 + n } : {};
    api.put(resources.services, service(name, [address(n, 'cluster', 0), address(n, 'cluster', 1)], { ...story.spec, ...externalIPs, ports: [{ name: 'u', protocol: 'UDP', port: 80, ...nodePort }], ...step.spec }));
  } else {
    for (const family of [0, 1] as const) {
      const list = step.pods.map((pod): EndpointWords => ({ address: ADDRESSES[pod === 'c' ? 'c' : 'b'][family], node: PODS[pod].node, ...PODS[pod].words }));
      api.put(resources.endpointSlices, slice(`${name}-${family === 0 ? 4 : 6}`, name, list, [{ name: 'u', protocol: 'UDP', port: 8080 }]));
    }
  }
}

const answerers = (n: number, story: Story, family: 0 | 1): string[] => conntrack
  .list({ family: family === 0 ? 'ip' : 'ip6', protocol: 17, originalDst: address(n, story.to, family), originalDstPort: story.to === 'node' ? 30_300 + n : 80 })
  .filter(({ original, reply }) => reply.src !== original.dst).map(({ reply }) => reply.src);

for (const [n, story] of stories.entries()) {
  test.serial(`a UDP flow follows its Service: ${story.title}`, async (t) => {
    apply(n, story, { kind: 'service', spec: {} });
    for (const [at, [step, answer]] of story.steps.entries()) {
      apply(n, story, step);
      await harness.synced();
      for (const family of [0, 1] as const) {
        const where = `step ${at + 1} over IPv${family === 0 ? 4 : 6}`;
        const wanted = answer === 'b' || answer === 'c' ? ADDRESSES[answer][family] : undefined;
        t.deepEqual(answerers(n, story, family).filter((one) => one !== wanted), [], `${where}: stale flows after the proxy said that it is synced`);
        const port = story.to === 'node' ? 30_300 + n : 80;
        const [reply = ''] = await harness.lab[story.from].ask({ protocol: 'udp', host: address(n, story.to, family), port, fromPort: 41_000 + n, timeoutMs: answer === 'silent' ? 200 : 3000 });
        const refused = story.from === 'node1' ? 'EPERM' : 'ECONNREFUSED';
        t.is(reply.split('|')[0], answer === 'refused' ? refused : answer === 'silent' ? 'ETIMEDOUT' : answer, where);
      }
    }
  });
}

test.serial('only the flows of what changed are forgotten: those of other Services with the same endpoint, and to the pod itself, stay', async (t) => {
  for (const name of ['first', 'second']) {
    harness.api.put(resources.services, service(name, [name === 'first' ? '10.96.4.1' : '10.96.4.2']));
    harness.api.put(resources.endpointSlices, slice(`${name}-4`, name, [{ address: ADDRESSES.b[0], node: 'node1' }]));
  }
  await harness.synced();
  const ask = (host: string, port: number): Promise<string[]> => harness.lab.a.ask({ protocol: 'udp', host, port, fromPort: 42_000 });
  const ids = (host: string): number[] => conntrack.list({ family: 'ip', protocol: 17, originalDst: host }).filter(({ original }) => original.srcPort === 42_000).map(({ id }) => id);
  for (const [host, port] of [['10.96.4.1', 80], ['10.96.4.2', 80], [ADDRESSES.b[0], 8080]] as const) t.is((await ask(host, port))[0]?.split('|')[0], 'b');
  const before = { second: ids('10.96.4.2'), pod: ids(ADDRESSES.b[0]) };
  t.is(before.second.length, 1);
  t.is(before.pod.length, 1);
  harness.api.put(resources.endpointSlices, slice('first-4', 'first', [{ address: ADDRESSES.c[0], node: 'node2' }]));
  await harness.synced();
  t.deepEqual(ids('10.96.4.1'), []);
  t.deepEqual({ second: ids('10.96.4.2'), pod: ids(ADDRESSES.b[0]) }, before);
  harness.api.remove(resources.services, 'default/first');
  await harness.synced();
  t.deepEqual({ second: ids('10.96.4.2'), pod: ids(ADDRESSES.b[0]) }, before);
});

test.serial('what went stale while no proxy ran is forgotten when one starts', async (t) => {
  harness.api.put(resources.services, service('absent', ['10.96.4.3']));
  harness.api.put(resources.endpointSlices, slice('absent-4', 'absent', [{ address: ADDRESSES.b[0], node: 'node1' }]));
  await harness.synced();
  const ask = async (): Promise<string> => (await harness.lab.a.ask({ protocol: 'udp', host: '10.96.4.3', port: 80, fromPort: 42_001 }))[0]?.split('|')[0] ?? '';
  t.is(await ask(), 'b');
  await harness.proxy.stop();
  harness.api.put(resources.endpointSlices, slice('absent-4', 'absent', [{ address: ADDRESSES.c[0], node: 'node2' }]));
  await harness.restart();
  t.is(await ask(), 'c');
});
