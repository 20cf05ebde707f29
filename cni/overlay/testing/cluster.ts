// Namespaces as nodes on a bridge underlay, one overlay each, a Node list in memory. For tests that live in a namespace of their own.
import { addAddress, addLink, addRoute, createNetns, deleteNetns, getLink, listFdb, listNeighbours, listRoutes, openRoute, setLink, setSysctl } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { ROUTE_PROTOCOL } from '../kernel.ts';
import { vtepMacOf } from '../node-view.ts';
import { startOverlay } from '../start.ts';
import type { OverlayHandle, OverlayMode, OverlayOptions } from '../types.ts';
import { NodeList } from './node-list.ts';
import { UdpPath } from './udp-probe.ts';
import type { Arrival } from './udp-probe.ts';

export interface TestNode {
  readonly name: string;
  readonly n: number;
  readonly netns: string;
  readonly ip: string;
  readonly ip6: string;
  readonly podCIDR: string;
  readonly podCIDR6: string;
}

export interface Cluster {
  readonly list: NodeList;
  readonly logs: string[];
  readonly overlay: (node: TestNode) => OverlayHandle;
  readonly start: (node: TestNode, more?: Partial<OverlayOptions>) => Promise<OverlayHandle>;
}

export const until = async (what: string, check: () => boolean): Promise<void> => {
  for (const deadline = Date.now() + 5000; !check();) {
    if (Date.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
};

/** Three nodes; their namespaces, and those of a pod on each, are gone after `close`. */
export class TestUnderlay implements Disposable {
  readonly nodes: readonly [TestNode, TestNode, TestNode];
  readonly #rt: NetlinkSocket = openRoute();
  readonly #id = `ov${process.pid}`;
  readonly #pods = new Map<string, string>();

  constructor() {
    addLink(this.#rt, { name: 'underlay', kind: 'bridge', up: true });
    this.nodes = [this.#makeNode(1), this.#makeNode(2), this.#makeNode(3)];
  }

  /** The namespace of the pod of node N; it comes with the node's first overlay. */
  pod(n: number): string { return this.#pods.get(`node${n}`) ?? ''; }

  [Symbol.dispose](): void {
    for (const { n } of this.nodes) for (const name of [`${this.#id}-pod${n}`, `${this.#id}-${n}`]) deleteNetns(name);
    this.#rt.close();
  }

  /** Overlays over one Node list; they end when the test does. */
  cluster(t: { teardown(end: () => Promise<void>): void }, mode: OverlayMode): Cluster {
    const list = new NodeList();
    const handles = new Map<string, OverlayHandle>();
    const logs: string[] = [];
    const log = (_object: object, message: string): void => void logs.push(message);
    const stop = new AbortController();
    t.teardown(async () => {
      stop.abort();
      await Promise.all([...handles.values()].map((handle) => handle.stop()));
    });
    return {
      list,
      logs,
      overlay: (node) => {
        const handle = handles.get(node.name);
        if (handle === undefined) throw new Error(`no overlay runs on ${node.name}`);
        return handle;
      },
      start: async (node, more = {}) => {
        const handle = await startOverlay({
          client: list, nodeName: node.name, nodeIPs: [node.ip, node.ip6], podCIDRs: [node.podCIDR, node.podCIDR6], clusterCIDRs: ['10.244.0.0/16', 'fd44::/48'], serviceCIDRs: ['10.96.0.0/16', 'fd96::/112'], mode, netns: node.netns,
          log: { debug: log, info: log, warn: log, error: log }, signal: stop.signal, ...more,
        });
        handles.set(node.name, handle);
        if (!this.#pods.has(node.name)) this.#pods.set(node.name, this.#addPod(node, handle.mtu));
        return handle;
      },
    };
  }

  /** A namespace with eth0 on the underlay bridge and one pod on the pod bridge. */
  #makeNode(n: number): TestNode {
    const netns = createNetns(`${this.#id}-${n}`);
    const node: TestNode = { name: `node${n}`, n, netns, ip: `172.30.0.${n}`, ip6: `fd30::${n}`, podCIDR: `10.244.${n}.0/24`, podCIDR6: `fd44:0:0:${n}::/64` };
    addLink(this.#rt, { name: `u${n}`, kind: 'veth', master: 'underlay', up: true, peer: { name: 'eth0', netns, up: true } });
    using there = openRoute({ netns });
    setLink(there, 'lo', { up: true });
    setSysctl(netns, 'net.ipv6.conf.eth0.accept_dad', 0);
    addAddress(there, 'eth0', `${node.ip}/24`);
    addAddress(there, 'eth0', `${node.ip6}/64`, { nodad: true });
    return node;
  }

  #addPod(node: TestNode, mtu: number): string {
    const netns = createNetns(`${this.#id}-pod${node.n}`);
    using host = openRoute({ netns: node.netns });
    addLink(host, { name: 'pod0', kind: 'veth', mtu, master: 'pw-cni0', up: true, peer: { name: 'eth0', netns, mtu } });
    setSysctl(netns, 'net.ipv6.conf.eth0.accept_dad', 0);
    using inside = openRoute({ netns });
    setLink(inside, 'lo', { up: true });
    setLink(inside, 'eth0', { up: true });
    addAddress(inside, 'eth0', `10.244.${node.n}.2/24`);
    addRoute(inside, { to: 'default', via: `10.244.${node.n}.1` });
    addAddress(inside, 'eth0', `fd44:0:0:${node.n}::2/64`, { nodad: true });
    addRoute(inside, { to: 'default', via: `fd44:0:0:${node.n}::1` });
    return netns;
  }
}

export const probe = (from: string, to: string, ip: string, bytes?: number): Arrival => {
  using path = new UdpPath(from, to, ip);
  return path.reach(bytes);
};

export function nodeObject(node: TestNode): Parameters<NodeList['put']>[0] {
  return {
    metadata: { name: node.name, creationTimestamp: `2026-01-01T00:00:0${node.n}Z` }, spec: { podCIDRs: [node.podCIDR, node.podCIDR6] },
    status: { addresses: [{ type: 'InternalIP', address: node.ip }, { type: 'InternalIP', address: node.ip6 }] },
  };
}

/** The overlay's rows in a node's kernel, as text. */
export function rows(node: TestNode): string[] {
  using there = openRoute({ netns: node.netns });
  const vxlan = getLink(there, 'pw-vxlan');
  return [
    ...(vxlan === undefined ? [] : listNeighbours(there, { dev: vxlan.index }).map(({ ip, mac }) => `neigh ${ip} ${mac ?? ''}`)),
    ...(vxlan === undefined ? [] : listFdb(there, { dev: vxlan.index }).map(({ mac, dst }) => `fdb ${mac} ${dst ?? ''}`)),
    ...listRoutes(there, { protocol: ROUTE_PROTOCOL }).filter(({ to }) => !/96/.test(to)).map(({ to, via, dev }) => `route ${to} ${via ?? ''} ${dev === vxlan?.index ? 'vxlan' : 'underlay'}`),
  ].toSorted();
}

export const vxlanRows = (self: TestNode, peers: readonly TestNode[], macOf = (node: TestNode): string => vtepMacOf(node.name, 4096)): string[] => peers.filter((peer) => peer !== self).flatMap((peer) => {
  const [v4, v6] = [`10.244.${peer.n}.0`, `fd44:0:0:${peer.n}::`];
  return [`neigh ${v4} ${macOf(peer)}`, `neigh ${v6} ${macOf(peer)}`, `fdb ${macOf(peer)} ${peer.ip}`, `route ${peer.podCIDR} ${v4} vxlan`, `route ${peer.podCIDR6} ${v6} vxlan`];
}).toSorted();
export const same = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b);
