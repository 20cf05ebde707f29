// The ways to tell pods from the world, masquerade for all, other addresses for node ports, a proxy name of one's own, a node without
// routes: with real packets over TCP and UDP, IPv4 and IPv6, and the model beside them.
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { resources } from '@podwire/kube-client';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import type { ProxyConfig } from '@podwire/proxy';

type From = 'a' | 'node1' | 'outside';
/** pod: endpoint b sees the sender's own address; masqueraded: it sees the node's; untouched: no rule takes it. */
type Seen = 'pod' | 'masqueraded' | 'untouched' | 'refused';
type Host = 'cluster' | 'node' | 'bridge' | 'loopback' | 'labelled' | 'empty';
type Expectation = readonly [from: From, host: Host, seen: Seen];

const HOSTS: Readonly<Record<Host, readonly [ipv4: string, ipv6: string, port: number]>> = {
  cluster: ['10.96.0.1', 'fd96::1', 80], labelled: ['10.96.0.2', 'fd96::2', 80], empty: ['10.96.0.3', 'fd96::3', 80],
  node: [...ADDRESSES.node1, 30_001], bridge: ['10.244.1.1', 'fd44:1::1', 30_001], loopback: ['127.0.0.1', '::1', 30_001],
};

const cases: readonly (readonly [title: string, config: Partial<ProxyConfig>, expect: readonly Expectation[]])[] = [
  ['pods told by their CIDR', {}, [['a', 'cluster', 'pod'], ['outside', 'cluster', 'masqueraded'], ['node1', 'cluster', 'masqueraded']]],
  ['pods told by their bridge', { detectLocalMode: 'BridgeInterface', bridgeInterface: 'br0' }, [['a', 'cluster', 'pod'], ['outside', 'cluster', 'masqueraded'], ['node1', 'cluster', 'masqueraded']]],
  ['pods told by an interface prefix', { detectLocalMode: 'InterfaceNamePrefix', interfaceNamePrefix: 'br' }, [['a', 'cluster', 'pod'], ['outside', 'cluster', 'masqueraded']]],
  ['pods told by the node\'s own CIDR', { detectLocalMode: 'NodeCIDR' }, [['a', 'cluster', 'pod'], ['outside', 'cluster', 'masqueraded']]],
  ['nothing known of pods: nobody is masqueraded to a cluster IP', { clusterCIDRs: [] }, [['a', 'cluster', 'pod'], ['outside', 'cluster', 'pod']]],
  ['masquerade for all, with another bit of the mark', { masqueradeAll: true, masqueradeBit: 9 }, [['a', 'cluster', 'masqueraded'], ['outside', 'cluster', 'masqueraded'], ['a', 'node', 'masqueraded']]],
  ['node ports on chosen addresses only', { nodePortAddresses: ['10.244.0.0/16', 'fd44::/16'] }, [['a', 'bridge', 'masqueraded'], ['outside', 'node', 'untouched']]],
  ['node ports on every address, and never on loopback', { nodePortAddresses: ['0.0.0.0/0', '::/0'] }, [['a', 'bridge', 'masqueraded'], ['outside', 'node', 'masqueraded'], ['node1', 'loopback', 'untouched'], ['node1', 'node', 'masqueraded']]],
];

let harness: Harness;
test.before(async () => {
  harness = await createHarness();
  const { api } = harness;
  api.put(resources.nodes, { metadata: { name: 'node1' }, spec: { podCIDRs: ['10.244.1.0/24', 'fd44:1::/64'] }, status: { addresses: ADDRESSES.node1.map((address) => ({ type: 'InternalIP', address })) } });
  const ports = [{ name: 't', protocol: 'TCP', port: 80, nodePort: 30_001 }, { name: 'u', protocol: 'UDP', port: 80, nodePort: 30_001 }];
  api.put(resources.services, service('s', ['10.96.0.1', 'fd96::1'], { type: 'NodePort', ports }));
  api.put(resources.services, service('labelled', ['10.96.0.2', 'fd96::2'], {}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'ours' } } }));
  api.put(resources.services, service('empty', ['10.96.0.3', 'fd96::3']));
  for (const name of ['s', 'labelled']) {
    api.put(resources.endpointSlices, slice(`${name}-4`, name, [{ address: ADDRESSES.b[0], node: 'node1' }]));
    api.put(resources.endpointSlices, slice(`${name}-6`, name, [{ address: ADDRESSES.b[1], node: 'node1' }]));
  }
});
test.after.always(async () => { await harness[Symbol.asyncDispose](); });

function wanted(seen: Seen, from: From, family: 0 | 1): string {
  switch (seen) {
    case 'pod': return `b|${ADDRESSES[from][family]}`;
    case 'masqueraded': return `b|${family === 0 ? '10.244.1.1' : 'fd44:1::1'}`;
    case 'untouched': // it reaches the node itself, where nobody listens
    case 'refused': return 'ECONNREFUSED';
  }
}

for (const [title, config, expect] of cases) {
  test.serial(title, async (t) => {
    await harness.restart(config);
    for (const [from, host, seen] of expect) {
      for (const family of [0, 1] as const) {
        for (const protocol of ['tcp', 'udp'] as const) {
          const question = { from: harness.lab[from], protocol, host: HOSTS[host][family], port: HOSTS[host][2], count: 3 };
          const reply = [wanted(seen, from, family)];
          t.deepEqual(await harness.predict(question), seen === 'untouched' ? ['untouched'] : reply, `model: ${from} -> ${question.host}/${protocol}`);
          t.deepEqual(await harness.ask(question), reply, `${from} -> ${question.host}/${protocol}`);
        }
      }
    }
  });
}

test.serial('on a node without any route to Service addresses pods and the world are served and refused as anywhere', async (t) => {
  await harness.restart({});
  for (const family of ['-4', '-6']) execFileSync('/sbin/ip', [family, 'route', 'del', 'default']);
  for (const address of HOSTS.empty.slice(0, 2)) t.throws(() => execFileSync('/sbin/ip', ['route', 'get', String(address)], { stdio: 'pipe' }), { message: /unreachable/ });
  const expect: readonly Expectation[] = [['a', 'empty', 'refused'], ['outside', 'empty', 'refused'], ['a', 'cluster', 'pod'], ['outside', 'cluster', 'masqueraded']];
  for (const [from, host, seen] of expect) {
    for (const family of [0, 1] as const) {
      for (const protocol of ['tcp', 'udp'] as const) {
        const question = { from: harness.lab[from], protocol, host: HOSTS[host][family], port: 80, count: 3 };
        t.deepEqual(await harness.ask(question), [wanted(seen, from, family)], `${from} -> ${question.host}/${protocol}`);
      }
    }
  }
  // A port that a cluster IP does not have.
  for (const protocol of ['tcp', 'udp'] as const) t.deepEqual(await harness.ask({ from: harness.lab.a, protocol, host: HOSTS.cluster[0], port: 81, count: 1 }), ['ECONNREFUSED'], protocol);
  // The node itself cannot even send: its kernel looks for the route first. A pod network brings one (README).
  t.deepEqual(await harness.ask({ from: harness.lab.node1, protocol: 'tcp', host: HOSTS.empty[0], port: 80, count: 1 }), ['ENETUNREACH']);
});

test.serial('a proxy with a name serves the Services that name it, and nothing else is captured or dropped', async (t) => {
  await harness.restart({ serviceProxyName: 'ours' });
  // What no rule touches ends in the world outside.
  for (const [family, via] of [['-4', ADDRESSES.outside[0]], ['-6', ADDRESSES.outside[1]]] as const) execFileSync('/sbin/ip', [family, 'route', 'add', 'default', 'via', via]);
  await harness.lab.answerOutside([HOSTS.cluster[0], HOSTS.cluster[1]]);
  for (const [host, replies] of [['labelled', ADDRESSES.a.map((address) => `b|${address}`)], ['cluster', ADDRESSES.a.map((address) => `outside|${address}`)]] as const) {
    for (const family of [0, 1] as const) {
      for (const protocol of ['tcp', 'udp'] as const) t.deepEqual(await harness.ask({ from: harness.lab.a, protocol, host: HOSTS[host][family], port: 80, count: 3 }), [replies[family] ?? ''], `${host} ${family} ${protocol}`);
    }
  }
});
