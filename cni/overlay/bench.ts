/**
 * The overlay's part of `npm run bench -- cni`: TCP between pods on two nodes through our overlay and through one made by hand with `ip`,
 * turn by turn in the same run; and how long a change of the Node list takes to be in the kernel. In a namespace of its own.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import { addAddress, addLink, addRoute, createNetns, deleteNetns, openRoute, setLink, setSysctl, withNetns } from '@podwire/netlink';
import { startOverlay } from './start.ts';
import { NodeList } from './testing/node-list.ts';
import type { OverlayHandle, OverlayLog, OverlayMode } from './types.ts';

/** A row of the report of `cni/bench.ts`. */
export interface OverlayResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: number;
  readonly ratio?: number;
  readonly target: string;
  readonly ok: boolean;
}

const IPERF = '/usr/bin/iperf3';
const ROUNDS = 15;
/** Each end on a core of its own: where the scheduler puts them otherwise decides more than the path. */
const PINNED = cpus().length > 1 ? ['-A', '0,1'] : [];
const PEERS = 100;
const run = promisify(execFile);
const log: OverlayLog = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Pair {
  readonly pods: readonly [string, string];
  readonly target: string;
}

class Bed implements AsyncDisposable {
  readonly #tag: string;
  readonly #names: string[] = [];
  readonly #stop = new AbortController();
  readonly #handles: OverlayHandle[] = [];
  readonly #servers: ChildProcess[] = [];
  readonly list = new NodeList();

  constructor(tag: string) { this.#tag = tag; }

  netns(name: string): string {
    const full = `pwb${process.pid}-${this.#tag}-${name}`;
    this.#names.push(full);
    return createNetns(full);
  }

  node(n: number, bridge: string): string {
    const netns = this.netns(`n${n}`);
    using home = openRoute();
    addLink(home, { name: `${this.#tag}${n}`, kind: 'veth', master: bridge, up: true, peer: { name: 'eth0', netns, up: true } });
    using there = openRoute({ netns });
    addAddress(there, 'eth0', `172.30.0.${n}/24`);
    setSysctl(netns, 'net.ipv4.ip_forward', 1);
    return netns;
  }

  pod(n: number, node: string, mtu: number): string {
    const netns = this.netns(`p${n}`);
    using host = openRoute({ netns: node });
    addLink(host, { name: 'pod0', kind: 'veth', mtu, master: 'pw-cni0', up: true, peer: { name: 'eth0', netns, mtu, up: true } });
    using inside = openRoute({ netns });
    addAddress(inside, 'eth0', `10.244.${n}.2/24`);
    addRoute(inside, { to: 'default', via: `10.244.${n}.1` });
    return netns;
  }

  async overlay(n: number, netns: string, mode: OverlayMode): Promise<OverlayHandle> {
    const handle = await startOverlay({
      client: this.list, nodeName: `node${n}`, nodeIPs: [`172.30.0.${n}`], podCIDRs: [`10.244.${n}.0/24`], clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/16'], mode, netns, log, signal: this.#stop.signal,
    });
    this.#handles.push(handle);
    return handle;
  }

  serve(netns: string): void { this.#servers.push(withNetns(netns, () => spawn(IPERF, ['-s'], { stdio: 'ignore' }))); }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const server of this.#servers) server.kill();
    await Promise.all(this.#handles.map(async (handle) => handle.stop()));
    for (const name of this.#names) deleteNetns(name);
  }
}

const putNode = (list: NodeList, n: number): void => list.put({ metadata: { name: `node${n}` }, spec: { podCIDRs: [`10.244.${n}.0/24`] }, status: { addresses: [{ type: 'InternalIP', address: `172.30.0.${n}` }] } });

/** Two nodes with a pod each, wired by the overlay. */
async function ours(bed: Bed, bridge: string, mode: OverlayMode): Promise<Pair> {
  for (const n of [1, 2]) putNode(bed.list, n);
  const pods: string[] = [];
  for (const n of [1, 2]) {
    const netns = bed.node(n, bridge);
    const handle = await bed.overlay(n, netns, mode);
    await handle.synced;
    pods.push(bed.pod(n, netns, handle.mtu));
  }
  return serving(bed, pods);
}

/** The same two nodes, wired with the commands that one would type. */
async function byHand(bed: Bed, bridge: string, mode: OverlayMode): Promise<Pair> {
  const pods: string[] = [];
  for (const n of [1, 2]) {
    const netns = bed.node(n, bridge);
    const other = 3 - n;
    const mtu = mode === 'vxlan' ? 1450 : 1500;
    const commands = [
      `link add pw-cni0 mtu ${mtu} type bridge`, `addr add 10.244.${n}.1/24 dev pw-cni0`, 'link set pw-cni0 up',
      ...(mode === 'host-gw' ? [`route add 10.244.${other}.0/24 via 172.30.0.${other}`] : [
        `link add vx0 mtu ${mtu} address 02:00:00:00:00:0${n} type vxlan id 1 dstport 8472 local 172.30.0.${n} dev eth0 nolearning`, `addr add 10.244.${n}.0/32 dev vx0`, 'link set vx0 up',
        `neigh add 10.244.${other}.0 lladdr 02:00:00:00:00:0${other} dev vx0 nud permanent`, `route add 10.244.${other}.0/24 via 10.244.${other}.0 dev vx0 onlink`,
      ]),
    ];
    for (const command of commands) await withNetns(netns, () => ({ done: run('/sbin/ip', command.split(' ')) })).done;
    if (mode === 'vxlan') await withNetns(netns, () => ({ done: run('/sbin/bridge', `fdb add 02:00:00:00:00:0${other} dev vx0 dst 172.30.0.${other} self permanent`.split(' ')) })).done;
    // A pod network by hand has its masquerade too, and with it connection tracking.
    await withNetns(netns, () => ({ done: run('/usr/sbin/nft', [`table ip nat { chain post { type nat hook postrouting priority srcnat; ip saddr 10.244.${n}.0/24 ip daddr != 10.244.0.0/16 masquerade; }; }`]) })).done;
    pods.push(bed.pod(n, netns, mtu));
  }
  return serving(bed, pods);
}

function serving(bed: Bed, [first = '', second = '']: readonly string[]): Pair {
  bed.serve(second);
  return { pods: [first, second], target: '10.244.2.2' };
}

async function gigabits({ pods, target }: Pair): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { stdout } = await withNetns(pods[0], () => ({ done: run(IPERF, ['-c', target, '-t', '1', '-J', ...PINNED]) })).done;
      return (JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
    } catch (error) {
      if (attempt === 5) throw error; // the server may still be starting, or ending its last client
    }
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function throughput(mode: OverlayMode): Promise<OverlayResult> {
  const tag = mode === 'vxlan' ? 'v' : 'g';
  const bridges = [`pw-${tag}o`, `pw-${tag}h`] as const;
  using home = openRoute();
  for (const name of bridges) addLink(home, { name, kind: 'bridge', up: true });
  await using left = new Bed(`${tag}o`);
  await using right = new Bed(`${tag}h`);
  const pairs = [await ours(left, bridges[0], mode), await byHand(right, bridges[1], mode)] as const;
  const samples: [number[], number[]] = [[], []];
  for (const pair of pairs) await gigabits(pair);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? [0, 1] as const : [1, 0] as const) samples[side].push(await gigabits(pairs[side]));
  }
  // Neighbours on the machine slow down both turns of a round alike: the ratio is taken round by round.
  const ratio = median(samples[0].map((each, round) => each / (samples[1][round] ?? each)));
  return { name: `pod to pod across nodes, ${mode}`, value: median(samples[0]), unit: 'Gbit/s', peer: median(samples[1]), ratio, target: '>= 0.97x the hand-made path', ok: ratio >= 0.97 };
}

/** A changed peer, from the Node list's event until the kernel has it, among a hundred. */
async function reaction(): Promise<OverlayResult> {
  using home = openRoute();
  addLink(home, { name: 'pw-react', kind: 'bridge', up: true });
  await using bed = new Bed('r');
  for (let n = 1; n <= PEERS; n += 1) {
    putNode(bed.list, n);
    if (n > 1) bed.list.change(`node${n}`, (node) => ({ ...node, metadata: { ...node.metadata, annotations: { 'podwire.io/vtep-mac': `02:00:00:00:01:${n.toString(16).padStart(2, '0')}` } } }));
  }
  const netns = bed.node(1, 'pw-react');
  const handle = await bed.overlay(1, netns, 'vxlan');
  await handle.synced;
  const samples: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const before = handle.state().changes;
    const startedAt = performance.now();
    bed.list.change('node2', (node) => ({ ...node, status: { addresses: [{ type: 'InternalIP', address: `172.30.0.${200 + round}` }] } }));
    while (handle.state().changes === before) await new Promise((resolve) => { setImmediate(resolve); });
    samples.push(performance.now() - startedAt);
  }
  return { name: `a Node's change in the kernel of another (${PEERS} nodes)`, value: median(samples), unit: 'ms', target: '<= 1000 ms', ok: median(samples) <= 1000 };
}

export async function measureOverlay(): Promise<readonly OverlayResult[]> {
  using home = openRoute();
  setLink(home, 'lo', { up: true });
  const results: OverlayResult[] = [await reaction()];
  if (existsSync(IPERF)) results.push(await throughput('vxlan'), await throughput('host-gw'));
  else process.stderr.write(`bench cni: pod to pod across nodes is left out: ${IPERF} is not there; apt-get install iperf3\n`);
  return results;
}
