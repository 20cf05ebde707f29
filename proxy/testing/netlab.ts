// A small cluster of namespaces for packet tests: two nodes with pods on a bridge, and the world outside, wired over one underlay.
// The test process itself sits in node1's namespace. A namespace lives as long as the child process in it: nothing is left behind.
//
//   outside 192.168.77.100 --+-- node1 192.168.77.1 -- br0 10.244.1.1 -- pod a 10.244.1.2, pod b 10.244.1.3
//      (underlay bridge)     +-- node2 192.168.77.2 -- br0 10.244.2.1 -- pod c 10.244.2.2
//   IPv6: fd77::100, fd77::1, fd77::2, fd44:1::/64 and fd44:2::/64 with the same last digits.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { unshareNetns, withNetns } from '@podwire/netlink';
import type { AskOptions, Command, Reply } from './probe-child.ts';

const CHILD = new URL('probe-child.ts', import.meta.url).pathname;

export class Probe {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 1;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.on('message', (message: { id?: number; result?: unknown; error?: string }) => {
      const waiter = this.#waiting.get(message.id ?? 0);
      this.#waiting.delete(message.id ?? 0);
      if (message.error === undefined) waiter?.resolve(message.result);
      else waiter?.reject(new Error(`${name}: ${message.error}`));
    });
    child.on('exit', () => { for (const { reject } of this.#waiting.values()) reject(new Error(`${name}: the probe has ended`)); });
  }

  /** A child in a namespace of its own, or (`shared`) in the caller's. */
  static async start(name: string, shared = false): Promise<Probe> {
    const argv = shared ? [process.execPath, CHILD] : ['/usr/bin/unshare', '--net', process.execPath, CHILD];
    const [command = '', ...args] = argv;
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`${name}: the probe ended with ${code ?? 'a signal'}`)));
      child.once('error', reject);
    });
    return new Probe(name, child);
  }

  get pid(): number { return this.#child.pid ?? 0; }
  get netns(): string { return `/proc/${this.pid}/ns/net`; }

  /** Answers on TCP and UDP with `NAME|source address`. `at`: the address to bind datagram sockets to, instead of any. */
  async serve(tcp: readonly number[], udp: readonly number[] = tcp, at?: string): Promise<void> {
    await this.#send({ kind: 'serve', name: this.name, tcp, udp, ...(at === undefined ? {} : { at }) });
  }
  async ask(options: AskOptions): Promise<Reply[]> { return (await this.#send({ kind: 'ask', options })) as Reply[]; }
  /** Asks again and again until `unload`, each time on a new connection. */
  async load(options: AskOptions, intervalMs: number): Promise<void> { await this.#send({ kind: 'load', options, intervalMs }); }
  async unload(): Promise<{ replies: Record<string, number>; failures: string[] }> { return (await this.#send({ kind: 'unload' })) as { replies: Record<string, number>; failures: string[] }; }
  /** Opens TCP connections that stay open. */
  async hold(options: AskOptions): Promise<void> { await this.#send({ kind: 'hold', options }); }
  /** What each held connection answers now. */
  async exchange(timeoutMs = 5000): Promise<Reply[]> { return (await this.#send({ kind: 'exchange', timeoutMs })) as Reply[]; }
  stop(): void { this.#child.kill('SIGKILL'); }

  #send(command: Command): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, command });
    });
  }
}

function ip(line: string, netns?: string): void {
  const args = line.split(' ');
  if (netns === undefined) execFileSync('/sbin/ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  else execFileSync('/usr/bin/nsenter', [`--net=${netns}`, '/sbin/ip', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** net.* settings of one namespace. */
function sysctl(netns: string | undefined, settings: Readonly<Record<string, number>>): void {
  withNetns(netns, () => { for (const [name, value] of Object.entries(settings)) writeFileSync(`/proc/sys/net/${name}`, String(value)); });
}

const BASE = { 'ipv6/conf/all/accept_dad': 0, 'ipv6/conf/default/accept_dad': 0, 'ipv4/icmp_ratelimit': 0, 'ipv6/icmp/ratelimit': 0 };
const NODE = { ...BASE, 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1, 'ipv4/conf/all/rp_filter': 0, 'ipv4/conf/default/rp_filter': 0 };

export interface NetLab extends AsyncDisposable {
  readonly node1: Probe;
  readonly node2: Probe;
  readonly outside: Probe;
  readonly a: Probe;
  readonly b: Probe;
  readonly c: Probe;
  /** Gives the world outside more addresses, where `outside` then answers on port 80: what no rule of the proxy takes ends there. */
  answerOutside(addresses: readonly string[]): Promise<void>;
  /** Adds a pod to node1 at run time: 10.244.1.N and fd44:1::N. */
  addPod(name: string, n: number): Promise<Probe>;
}

export const ADDRESSES = {
  node1: ['192.168.77.1', 'fd77::1'], node2: ['192.168.77.2', 'fd77::2'], outside: ['192.168.77.100', 'fd77::100'],
  a: ['10.244.1.2', 'fd44:1::2'], b: ['10.244.1.3', 'fd44:1::3'], c: ['10.244.2.2', 'fd44:2::2'],
} as const;

/** Moves the process into a fresh namespace and builds the cluster around it. Every pod serves TCP and UDP on 8080. */
export async function createNetLab(): Promise<NetLab> {
  unshareNetns();
  const children: Probe[] = [];
  const start = async (name: string, shared = false): Promise<Probe> => {
    const probe = await Probe.start(name, shared);
    children.push(probe);
    return probe;
  };
  try {
    sysctl(undefined, NODE);
    ip('link set lo up');
    const [outside, node2, node1] = await Promise.all([start('outside'), start('node2'), start('node1', true)]);
    underlay(outside, node2);
    bridge(undefined, 1);
    bridge(node2.netns, 2);
    for (const [netns, other, via] of [[undefined, 2, 2], [node2.netns, 1, 1]] as const) {
      ip(`route add 10.244.${other}.0/24 via 192.168.77.${via}`, netns);
      ip(`-6 route add fd44:${other}::/64 via fd77::${via}`, netns);
    }
    const addPod = async (name: string, n: number, node = 1): Promise<Probe> => {
      const pod = await start(name);
      attach(pod, node === 1 ? undefined : node2.netns, node, n);
      await pod.serve([8080, 8081]);
      return pod;
    };
    const [a, b, c] = await Promise.all([addPod('a', 2), addPod('b', 3), addPod('c', 2, 2)]);
    const answerOutside = async (addresses: readonly string[]): Promise<void> => {
      for (const address of addresses) ip(`addr add ${address} dev lo`, outside.netns);
      await outside.serve([80], []);
      // A datagram's answer comes from the address that was asked only if the socket is bound to it.
      for (const address of addresses) await outside.serve([], [80], address);
    };
    return { node1, node2, outside, a, b, c, addPod, answerOutside, [Symbol.asyncDispose]: () => stopAll(children) };
  } catch (error) {
    await stopAll(children);
    throw error;
  }
}

function stopAll(children: readonly Probe[]): Promise<void> {
  for (const child of children) child.stop();
  return Promise.resolve();
}

function underlay(outside: Probe, node2: Probe): void {
  sysctl(outside.netns, BASE);
  sysctl(node2.netns, NODE);
  ip('link set lo up', outside.netns);
  ip('link set lo up', node2.netns);
  ip('link add under type bridge', outside.netns);
  ip('link set under up', outside.netns);
  ip('addr add 192.168.77.100/24 dev under', outside.netns);
  ip('addr add fd77::100/64 dev under', outside.netns);
  for (const [netns, n] of [[undefined, 1], [node2.netns, 2]] as const) {
    ip(`link add eth0 type veth peer name node${n} netns ${outside.pid}`, netns);
    ip(`link set node${n} master under up`, outside.netns);
    ip('link set eth0 up', netns);
    ip(`addr add 192.168.77.${n}/24 dev eth0`, netns);
    ip(`addr add fd77::${n}/64 dev eth0`, netns);
    ip('route add default via 192.168.77.100', netns);
    ip('-6 route add default via fd77::100', netns);
  }
  // The world outside reaches Service addresses through node1, as a router in front of a cluster would.
  ip('route add 10.96.0.0/16 via 192.168.77.1', outside.netns);
  ip('route add 203.0.113.0/24 via 192.168.77.1', outside.netns);
  ip('-6 route add fd96::/112 via fd77::1', outside.netns);
  ip('-6 route add 2001:db8::/64 via fd77::1', outside.netns);
  ip('route add 10.244.1.0/24 via 192.168.77.1', outside.netns);
  ip('-6 route add fd44:1::/64 via fd77::1', outside.netns);
}

function bridge(netns: string | undefined, node: number): void {
  ip('link add br0 type bridge', netns);
  ip('link set br0 up', netns);
  ip(`addr add 10.244.${node}.1/24 dev br0`, netns);
  ip(`addr add fd44:${node}::1/64 dev br0`, netns);
  sysctl(netns, { 'bridge/bridge-nf-call-iptables': 1, 'bridge/bridge-nf-call-ip6tables': 1 });
}

function attach(pod: Probe, netns: string | undefined, node: number, n: number): void {
  sysctl(pod.netns, BASE);
  ip(`link add veth${n} type veth peer name eth0 netns ${pod.pid}`, netns);
  ip(`link set veth${n} master br0 up`, netns);
  // A pod that reaches itself through its Service comes back by the port it left.
  ip(`link set veth${n} type bridge_slave hairpin on`, netns);
  ip('link set lo up', pod.netns);
  ip('link set eth0 up', pod.netns);
  ip(`addr add 10.244.${node}.${n}/24 dev eth0`, pod.netns);
  ip(`addr add fd44:${node}::${n}/64 dev eth0`, pod.netns);
  ip(`route add default via 10.244.${node}.1`, pod.netns);
  ip(`-6 route add default via fd44:${node}::1`, pod.netns);
}

/** Polls until `condition` holds; fails after `ms` with `what`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
