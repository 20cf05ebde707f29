import { Informer, SyncRunner, resources } from '@podwire/kube-client';
import type { Node } from '@podwire/kube-client';
import { NETLINK_ROUTE, openRoute, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK, RTNLGRP_NEIGH, subscribe } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { KernelNft } from 'nftables-js';
import { syncEgress } from './egress.ts';
import { concerns } from './events.ts';
import { desiredPeers } from './desired-peers.ts';
import { applyOperations, readRows } from './kernel.ts';
import { ensureLocal, VXLAN_DEVICE } from './local.ts';
import type { Local } from './local.ts';
import { isNetworkReported, isPauseReported, isPublished, publishAnnotations, reportNetwork, reportPause } from './node-contract.ts';
import { nodeView } from './node-view.ts';
import { desiredRows, diffRows } from './rows.ts';
import type { NodeView, OverlayHandle, OverlayOptions, OverlayState, Peer, Problem } from './types.ts';

const GROUPS = [RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];

/**
 * Keeps this node's kernel equal to the Node list: VXLAN device, peers' neighbours, FDB entries and routes, the Service routes and the
 * egress masquerade. Returns when this node's own side stands (no API server is needed for that); throws when it cannot.
 */
export async function startOverlay(options: OverlayOptions): Promise<OverlayHandle> {
  options.signal.throwIfAborted();
  const rt = openRoute(options.netns === undefined ? {} : { netns: options.netns });
  let overlay: Overlay;
  try {
    overlay = new Overlay(rt, options, ensureLocal(rt, options));
  } catch (error) {
    rt.close();
    throw error;
  }
  try {
    await overlay.start();
    return overlay;
  } catch (error) {
    await overlay.stop();
    throw error;
  }
}

class Overlay implements OverlayHandle {
  readonly mtu: number;
  readonly synced: Promise<void>;
  readonly #rt: NetlinkSocket;
  readonly #nft: KernelNft;
  readonly #options: OverlayOptions;
  readonly #informer: Informer<Node, NodeView>;
  readonly #runner: SyncRunner;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #firstSync = Promise.withResolvers<undefined>();
  #local: Local;
  #peers: readonly Peer[] = [];
  #problems: readonly Problem[] = [];
  #isPaused = false;
  #changes = 0;
  #stopped: Promise<void> | undefined;

  constructor(rt: NetlinkSocket, options: OverlayOptions, local: Local) {
    this.#rt = rt;
    this.#nft = KernelNft.open(options.netns === undefined ? {} : { netns: options.netns });
    this.#options = options;
    this.#local = local;
    this.mtu = local.mtu;
    this.synced = this.#firstSync.promise.then(() => undefined);
    this.synced.catch(() => { /* who waits for it gets the rejection; nobody has to wait */ });
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#informer = new Informer<Node, NodeView>({
      client: options.client, resource: resources.nodes, transform: nodeView,
      onError: (error) => options.log.warn({ err: error.message }, `overlay: node list: ${error.message}`),
    });
    this.#runner = new SyncRunner({
      sync: async (signal) => this.#sync(signal), minIntervalMs: 20, resyncMs: options.resyncMs ?? 60_000, retry: { initialMs: 200, maxMs: 10_000 },
      onError: (error) => options.log.warn({ err: error.message }, `overlay: ${error.message}; it is tried again`),
    });
  }

  async start(): Promise<void> {
    const { netns, signal, log } = this.#options;
    const onOverrun = (): void => {
      log.debug({}, 'overlay: kernel events were lost, reading the state again');
      this.#runner.trigger();
    };
    subscribe(NETLINK_ROUTE, GROUPS, (message) => { if (concerns(message, this.#local.devices)) this.#runner.trigger(); }, this.#signal, { onOverrun, ...(netns === undefined ? {} : { netns }) });
    const changed = (): void => this.#runner.trigger();
    this.#informer.on({ add: changed, delete: changed, update: (view, old) => { if (JSON.stringify(view) !== JSON.stringify(old)) changed(); } });
    this.#informer.start(this.#signal);
    this.#informer.waitForSync(this.#signal).then(changed, () => { /* stopped before the first list */ });
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    // The node's own side includes the masquerade: a pod must not send with an address that nobody can answer.
    await this.#syncEgress(this.#signal);
    this.#applyServiceRoutes();
  }

  state(): OverlayState {
    return { peers: this.#peers.map(({ node }) => node), problems: this.#problems, lastSyncAt: this.#runner.lastSuccess, changes: this.#changes, isPaused: this.#isPaused };
  }

  trigger(): void {
    this.#runner.trigger();
  }

  async stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#stop.abort();
      this.#firstSync.reject(new DOMException('the overlay was stopped before its first comparison with the kernel', 'AbortError'));
      await Promise.all([this.#runner.stop(), this.#informer.stop()]);
      this.#rt.close();
      this.#nft.close();
    })();
    await this.#stopped;
  }

  /** Before the Node list is known only what is missing is added: peers' rows of an earlier life keep working. */
  #applyServiceRoutes(): void {
    const additions = diffRows(readRows(this.#rt, VXLAN_DEVICE), desiredRows([], this.#local.self)).filter(({ do: what }) => what.startsWith('set-'));
    const [failure] = applyOperations(this.#rt, VXLAN_DEVICE, additions);
    if (failure !== undefined) throw failure.error;
  }

  async #sync(signal: AbortSignal): Promise<void> {
    // Triggers before the first list must not remove peers that are merely not known yet.
    if (!this.#informer.hasSynced) return;
    const views = this.#informer.store.list();
    const own = views.find(({ name }) => name === this.#options.nodeName);
    this.#isPaused = own?.isPaused ?? false;
    if (this.#isPaused) {
      if (own !== undefined && !isPauseReported(own)) await reportPause(this.#options.client, this.#local.self, signal);
      return;
    }
    this.#local = ensureLocal(this.#rt, this.#options);
    const { self } = this.#local;
    if (own !== undefined && !isPublished(own, self)) await publishAnnotations(this.#options.client, self, signal);
    this.#applyPeers(views);
    await this.#syncEgress(signal);
    if (own !== undefined && !isNetworkReported(own)) await reportNetwork(this.#options.client, self, signal);
    if (own !== undefined) this.#firstSync.resolve(undefined);
  }

  #applyPeers(views: readonly NodeView[]): void {
    const { self } = this.#local;
    const { log } = this.#options;
    const { peers, problems } = desiredPeers(views, self);
    this.#reportProblems(problems);
    const operations = diffRows(readRows(this.#rt, VXLAN_DEVICE), desiredRows(peers, self));
    const failures = applyOperations(this.#rt, VXLAN_DEVICE, operations);
    this.#peers = peers;
    this.#changes += operations.length - failures.length;
    if (operations.length > 0) log.info({ operations: operations.map(({ do: what, row }) => ({ do: what, ...row })) }, `overlay: ${peers.length} peers, ${operations.length - failures.length} changes`);
    const [first] = failures;
    if (first !== undefined) throw new AggregateError(failures.map(({ error }) => error), `${first.node === '' ? self.name : first.node}: ${first.error.message}${failures.length > 1 ? ` (and ${failures.length - 1} more)` : ''}`);
  }

  async #syncEgress(signal: AbortSignal): Promise<void> {
    const peers = this.#peers.flatMap(({ routes }) => routes.map(({ podCIDR }) => podCIDR));
    await syncEgress(this.#nft, this.#options.podCIDRs, [...this.#options.clusterCIDRs, ...peers], signal);
  }

  #reportProblems(problems: readonly Problem[]): void {
    const known = new Set(this.#problems.map(({ node, text }) => `${node} ${text}`));
    for (const { node, text } of problems) if (!known.has(`${node} ${text}`)) this.#options.log.warn({ node }, `overlay: ${node} is left out: ${text}`);
    this.#problems = problems;
  }
}
