// Each kind of path, traced: delivered as foretold, with hops that name node, device, rule, Service, endpoint and rewriting; and what
// tcpdump sees in the nodes meanwhile is what the trace says.
import test from 'ava';
import { resources } from '@podwire/kube-client';
import { nodeNetns } from '@podwire/lab';
import type { Trace } from '../../lab/trace/index.ts';
import { eventually } from '../helpers/poll.ts';
import { background } from '../helpers/run.ts';
import { cannotRunLab } from './lab.ts';
import { NAMESPACE, pod, service, TraceScene } from './trace-scene.ts';

type Hop = Trace['hops'][number];

const scene = new TraceScene();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab === undefined) await scene.up(['--ip-family', 'dual']);
});
test.after.always(() => scene.lab.remove());

const nodeAddress = (node: string, family = 'IPv4'): Promise<string> => scene.get(async (client) => (await client.get(resources.nodes, { name: node })).status?.addresses?.find(({ type, address }) => type === 'InternalIP' && address.includes(':') === (family === 'IPv6'))?.address ?? '');
const nodePort = (name: string, protocol: string): Promise<number> => scene.get(async (client) => (await client.get(resources.services, { namespace: NAMESPACE, name })).spec?.ports?.find((one) => one.protocol === protocol.toUpperCase())?.nodePort ?? 0);
const balancer = (name: string): Promise<string> => eventually('an address', () => scene.get(async (client) => (await client.get(resources.services, { namespace: NAMESPACE, name })).status?.loadBalancer?.ingress?.[0]?.ip));

interface Path {
  readonly title: string;
  readonly from: string;
  readonly to: (protocol: 'tcp' | 'udp') => string | Promise<string>;
  readonly where: RegExp;
  /** Rewritings on the way there: destination, or source too. */
  readonly translated: 'no' | 'destination' | 'both';
  readonly onlyTcp?: true;
  readonly family?: 'IPv6';
}

const paths: readonly Path[] = [
  { title: 'pod to pod, same node', from: pod(1), to: () => pod(1, 'b'), where: /probe-node1-b on node1/, translated: 'no' },
  { title: 'pod to pod, cross node', from: pod(1), to: () => pod(2), where: /probe-node2-a on node2/, translated: 'no' },
  { title: 'pod to cluster IP, same node', from: pod(1, 'b'), to: () => service('own-node1'), where: /probe-node1-a on node1/, translated: 'destination' },
  { title: 'pod to cluster IP, cross node', from: pod(1), to: () => service('on-node2'), where: /probe-node2-[ab] on node2/, translated: 'destination' },
  { title: 'pod to itself through its Service', from: pod(1), to: () => service('own-node1'), where: /probe-node1-a on node1/, translated: 'both' },
  { title: 'pod to node port of its own node', from: pod(1), to: async (protocol) => `${await nodeAddress('node1')}:${await nodePort('on-node2', protocol)}`, where: /node2$/, translated: 'both' },
  { title: 'pod to node port of another node', from: pod(1), to: async (protocol) => `${await nodeAddress('node2')}:${await nodePort('on-node2', protocol)}`, where: /node2$/, translated: 'both' },
  { title: 'pod to external IP', from: pod(1), to: () => '192.0.2.10:8080', where: /probe-node\d/, translated: 'both' },
  { title: 'pod to load balancer', from: pod(1), to: async () => `${await balancer('balanced')}:8080`, where: /probe-node\d/, translated: 'both' },
  { title: 'node to pod, cross node', from: 'node/node1', to: () => pod(2), where: /probe-node2-a on node2/, translated: 'no' },
  { title: 'node to cluster IP', from: 'node/node1', to: () => service('on-node2'), where: /node2$/, translated: 'destination' },
  { title: 'outside to node port, policy Cluster', from: 'outside', to: async (protocol) => `${await nodeAddress('node1')}:${await nodePort('on-node2', protocol)}`, where: /node2$/, translated: 'both' },
  { title: 'outside to node port, policy Local', from: 'outside', to: async (protocol) => `${await nodeAddress('node1')}:${await nodePort('local', protocol)}`, where: /node1$/, translated: 'destination' },
  { title: 'outside to load balancer', from: 'outside', to: async () => `${await balancer('balanced')}:8080`, where: /probe-node\d/, translated: 'both' },
  { title: 'pod to API server', from: pod(1), to: () => 'svc/default/kubernetes', where: /machine/, translated: 'both', onlyTcp: true },
  { title: 'pod to a program of its own node through a Service', from: pod(1), to: () => 'svc/kube-system/kube-dns', where: /^node1$/, translated: 'destination', onlyTcp: true },
  { title: 'IPv6: pod to pod, cross node', from: pod(1), to: () => pod(2), where: /probe-node2-a on node2/, translated: 'no', family: 'IPv6' },
  { title: 'IPv6: pod to cluster IP, same node', from: pod(1, 'b'), to: () => service('own-node1'), where: /probe-node1-a on node1/, translated: 'destination', family: 'IPv6' },
  { title: 'IPv6: pod to cluster IP, cross node', from: pod(1), to: () => service('on-node2'), where: /probe-node2-[ab] on node2/, translated: 'destination', family: 'IPv6' },
  { title: 'IPv6: pod to itself through its Service', from: pod(1), to: () => service('own-node1'), where: /probe-node1-a on node1/, translated: 'both', family: 'IPv6' },
  { title: 'IPv6: outside to node port, policy Cluster', from: 'outside', to: async (protocol) => `[${await nodeAddress('node1', 'IPv6')}]:${await nodePort('on-node2', protocol)}`, where: /node2$/, translated: 'both', family: 'IPv6' },
];

/** `10.0.0.1:80 > ...`, `[fd00::1]:80 > ...` as tcpdump writes it. */
const ends = (packet: string): string => packet.split(' ').slice(0, 3).join(' ').replaceAll(/\[([^\]]+)\]/g, '$1').replaceAll(/:(\d+)(?= |$)/g, '.$1');
/** `P`: at a bridge's port a packet is addressed to somebody else's MAC. */
const direction = ({ stage }: Hop): string => (['send', 'transmit', 'encapsulate'].includes(stage) ? 'Out' : '(In|P)');
const sighted = (hops: readonly Hop[], node: string): readonly Hop[] => hops.filter(({ netns, stage }) => netns === `node/${node}` && stage !== 'nftables' && stage !== 'drop');

for (const { title, from, to, where, translated, onlyTcp, family } of paths) {
  for (const protocol of onlyTcp === true ? (['tcp'] as const) : (['tcp', 'udp'] as const)) {
    e2e(`${title} over ${protocol}: delivered, explained, and as tcpdump saw it`, async (t) => {
      const target = await to(protocol);
      // A short snapshot: with the default one, libpcap's ring holds eight packets, and a burst of nine loses one.
      const dumps = await Promise.all(['node1', 'node2'].map(async (node) => ({ node, running: background(['/usr/bin/nsenter', `--net=${await nodeNetns(scene.lab.names, scene.handle.spec, node)}`, '--', '/usr/bin/tcpdump', '-i', 'any', '-n', '-l', '-q', '-s', '256', '--immediate-mode', 'not port 10250 and not host 127.0.0.1']) })));
      try {
        await eventually('tcpdump listens', () => dumps.every(({ running }) => running.output().includes('listening on')));
        const trace = await scene.trace(from, target, { protocol, ...(family === undefined ? {} : { family }) });
        t.is(trace.verdict, 'DELIVERED', trace.reason);
        t.regex(trace.where, where);
        t.true(trace.agrees, `${trace.predicted.text}; ${JSON.stringify(trace.hops.at(-1))}`);
        t.true(trace.reply.length > 0);
        t.true([...trace.hops, ...trace.reply].every(({ why, command, node, before }) => why !== '' && command !== '' && node !== '' && before !== ''));
        const rewritten = trace.hops.filter(({ after }) => after !== undefined);
        const changing = (pattern: RegExp): boolean => rewritten.some(({ rule }) => pattern.test(rule ?? ''));
        t.is(changing(/\bdnat ip6? to\b/), translated !== 'no', JSON.stringify(rewritten));
        t.is(changing(/\bmasquerade\b/), translated === 'both', JSON.stringify(rewritten));
        if (translated !== 'no') {
          const translation = rewritten.find(({ rule }) => /\bdnat ip6? to\b/.test(rule ?? ''));
          t.like(translation, { stage: 'nftables', chain: 'to-endpoint', cause: { kind: 'Service' } });
          t.regex(translation?.why ?? '', /listed in EndpointSlice/);
          t.truthy(translation?.conntrack);
        }
        for (const { node, running } of dumps) {
          for (const hop of [...sighted(trace.hops, node), ...sighted(trace.reply, node)]) {
            const packet = ends(hop.after ?? hop.before);
            const seen = (): readonly string[] => running.output().split('\n').filter((line) => line.includes(`${packet.includes(':') ? 'IP6' : 'IP'} ${packet}`));
            await eventually(`tcpdump on ${node} saw ${packet} ${direction(hop)} ${hop.device}`, () => seen().some((line) => new RegExp(`\\b${hop.device}\\s+${direction(hop)}\\b`).test(line)), { timeoutMs: 5000 })
              .catch((error: unknown) => t.fail(`${String(error)}; it saw\n${seen().join('\n')}`));
          }
        }
      } finally {
        await Promise.all(dumps.map(({ running }) => running.stop()));
      }
    });
  }
}
