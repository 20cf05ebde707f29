// The proxy as one running thing: informers, the reconciler's loop, drift watch, health and metrics servers.
import { Conntrack, KernelNft } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { SyncRunner, systemClock } from '@podwire/kube-client';
import type { Clock, KubeClient } from '@podwire/kube-client';
import type http from 'node:http';
import type { ProxyConfig } from '../config/types.ts';
import { DEFAULT_CONFIG } from '../config/types.ts';
import { PROTOCOL_NAMES } from '../core/service-info.ts';
import { countLocalEndpoints } from '../core/desired.ts';
import type { RulesetOptions } from '../ruleset/render.ts';
import { Cluster } from './cluster.ts';
import { ConntrackCleaner } from './conntrack-cleaner.ts';
import { watchDrift } from './drift.ts';
import { endpointConnectionsText } from './endpoint-metrics.ts';
import { ProxyMetrics } from './metrics.ts';
import { ServiceHealthServers, closeServer, parseBindAddress, serve } from './servers.ts';
import type { LocalHealth, Routes } from './servers.ts';
import { Synchronizer } from './synchronizer.ts';
import { trimMemory } from './trim-memory.ts';
import { TrafficAccount } from './traffic.ts';
import { TableProgrammer } from './table-programmer.ts';

/** What the proxy logs with; a pino logger is one. */
export interface ProxyLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface StartOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>;
  readonly nodeName: string;
  /** What differs from DEFAULT_CONFIG. */
  readonly config?: Partial<ProxyConfig>;
  readonly log: ProxyLog;
  /** Ends the proxy; the rules stay. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Default: the network namespace that is current now; sockets opened now stay in it. */
  readonly nft?: Nft;
  readonly conntrack?: Pick<Conntrack, 'list' | 'delete' | 'watch'>;
}

export interface ProxyHealth {
  /** /livez: no update has waited too long. */
  readonly isLive: boolean;
  /** /healthz: live, and the node is not about to leave. */
  readonly isHealthy: boolean;
  readonly isSynced: boolean;
  readonly isNodeEligible: boolean;
  readonly lastUpdated: number | undefined;
}

export interface ProxyHandle {
  /** Stops following the API server; rules and connections stay. */
  stop(): Promise<void>;
  health(): ProxyHealth;
  metricsText(): Promise<string>;
  /** Resolves when everything the API server said so far is in the kernel, and flows that it made stale are forgotten. */
  waitForSync(signal?: AbortSignal): Promise<void>;
  /** Compares everything with the kernel now and repairs it. */
  audit(): Promise<void>;
  readonly tables: readonly TableProgrammer[];
}

/** Programs the current network namespace from what `client` says, until stopped. Resolves when the rules are loaded; see waitForSync. */
export async function startProxy(options: StartOptions): Promise<ProxyHandle> {
  const config: ProxyConfig = { ...DEFAULT_CONFIG, ...options.config };
  const { log } = options;
  const clock = options.clock ?? systemClock;
  const stopping = new AbortController();
  const signal = options.signal === undefined ? stopping.signal : AbortSignal.any([options.signal, stopping.signal]);
  const nft: Nft = options.nft ?? KernelNft.open();
  const metrics = new ProxyMetrics();
  const conntrack = options.conntrack ?? Conntrack.open();
  const cleaner = new ConntrackCleaner(conntrack);
  const tables = config.families.map((family) => new TableProgrammer(family, nft, rulesetOptions(config), {
    onEndpointGone: (port, endpoint) => cleaner.onEndpointGone(port, endpoint),
    onFrontChanged: (_port, key, isThere) => cleaner.onFrontChanged(key, isThere),
    onConflict: ({ front, winner, loser }) => log.warn({ front: frontText(front), winner, loser }, `two Services want ${frontText(front)}: ${winner} has it, ${loser} has not`),
  }));
  const cluster = new Cluster(options.client, options.nodeName, config, {
    onDirty: (key, kind, triggered) => { synchronizer.markDirty(key, kind, triggered); runner.trigger(); },
    onEnvironment: () => { synchronizer.markEnvironment(); runner.trigger(); },
    onServiceNet: () => { synchronizer.markServiceNet(); runner.trigger(); },
    onProblem: (kind, key, problems) => log.warn({ kind, object: key, problems }, `${kind} ${key}: ${problems.join('; ')}; the rest of it is served`),
    onError: (error) => log.warn({ err: error }, error.message),
  });
  const waiting = new Set<(hasJustRun: boolean) => void>();
  const checked = new Map<string, LocalHealth & { readonly port: number }>();
  const synchronizer: Synchronizer = new Synchronizer({
    cluster, tables, cleaner, config, metrics, clock,
    onRepair: (family, repair) => log.warn({ family, ...repair }, `table ${family} podwire had been changed by somebody else: ${repair.added} rows missing, ${repair.removed} foreign, ${repair.changed} changed${repair.rules ? ', rules rewritten' : ''}; repaired`),
    onSynced: (services) => {
      for (const done of waiting) done(true);
      if (!isTrimmed && cluster.serviceCount > 2000) clock.timer(1000, trimMemory);
      isTrimmed = true;
      if (synchronizer.hasRetired) triggerIn('retire', config.retireDelayMs + 1);
      if (synchronizer.cleanInMs !== undefined) triggerIn('clean', synchronizer.cleanInMs + 1);
      if (followHealth(cluster, services, checked)) void serviceHealth.update(checkedPorts(checked)).catch((error: unknown) => log.error({ err: error }, 'healthCheckNodePort server failed'));
    },
  });
  let isTrimmed = false;
  const timers = new Map<string, () => void>();
  const triggerIn = (what: string, ms: number): void => {
    if (timers.has(what)) return;
    timers.set(what, clock.timer(ms, () => {
      timers.delete(what);
      runner.trigger();
    }));
  };
  const runner: SyncRunner = new SyncRunner({
    clock,
    sync: () => synchronizer.sync(),
    minIntervalMs: config.minSyncPeriodMs,
    onError: (error) => log.error({ err: error }, `could not program the kernel: ${error.message}; trying again`),
    retry: { initialMs: 100, maxMs: 10_000 },
  });
  // Watched from before the first reading: what is read to be taken over may change while it is read.
  const drift = watchDrift(nft, tables.map((table) => table.schema), signal, (suspicions) => {
    metrics.drifts.inc();
    synchronizer.markSuspect(suspicions);
    runner.trigger();
  });
  let adopted = 0;
  try {
    for (const table of tables) {
      table.onLoad = drift.whileLoading;
      const { rows, suspicion } = await table.start();
      if (rows > 0) synchronizer.markSuspect(new Map([[table.family, suspicion]]));
      adopted += rows;
    }
  } catch (error) {
    stopping.abort(); // the watch would keep the process alive
    throw error;
  }
  if (adopted > 0) log.info({ rows: adopted }, 'took over the rows of an earlier proxy');

  const health = (): ProxyHealth => {
    const since = runner.unservedSince;
    const isLive = since === undefined || clock.now() - since < config.healthTimeoutMs;
    const isNodeEligible = !cluster.node.isLeaving;
    return { isLive, isNodeEligible, isHealthy: isLive && isNodeEligible && synchronizer.hasSynced, isSynced: synchronizer.hasSynced, lastUpdated: runner.lastSuccess };
  };
  const serverError = (error: Error): void => log.error({ err: error }, `proxy HTTP server: ${error.message}; free the port or choose another`);
  const serviceHealth = new ServiceHealthServers(() => health().isLive && synchronizer.hasSynced, serverError);
  const traffic = config.trafficAccounting ? new TrafficAccount(conntrack, () => tables.map((table) => table.state)) : undefined;
  traffic?.start(signal);
  const metricsText = async (): Promise<string> => {
    if (traffic !== undefined) metrics.setTraffic(traffic.totals());
    return `${await metrics.registry.metrics()}${await endpointConnectionsText(nft, tables)}`;
  };
  const servers = await startServers(config, health, metrics, metricsText, clock, serverError);

  cluster.start(signal);
  void cluster.waitForNode(signal).then(() => {
    if (adopted === 0 && !tables.some((table) => table.isReplacing)) {
      synchronizer.markFirstLoad();
      runner.trigger();
    }
    return cluster.waitForSync(signal);
  }).then(() => {
    synchronizer.markReady(adopted > 0);
    runner.trigger();
  }).catch((error: unknown) => { if (!signal.aborted) log.error({ err: error }, 'informers failed'); });

  // From time to time: chains that no Service needs any more. Drift needs no second look: the monitor names what was touched, or says that it lost events.
  let cancelIdle = (): void => undefined;
  const idleLater = (): void => {
    if (config.syncPeriodMs === 0 || signal.aborted) return;
    cancelIdle = clock.timer(config.syncPeriodMs, () => {
      synchronizer.markIdle();
      if (synchronizer.hasUnusedChains) runner.trigger();
      idleLater();
    });
  };
  idleLater();

  const waitForSync = async (waitSignal?: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const done = (hasJustRun: boolean): void => {
      const isBehind = hasJustRun ? runner.pendingSince !== undefined : runner.unservedSince !== undefined;
      if (synchronizer.hasSynced && !isBehind && synchronizer.cleanInMs === undefined) resolve(undefined);
    };
    const failed = (): void => reject(new DOMException('aborted', 'AbortError'));
    waiting.add(done);
    waitSignal?.addEventListener('abort', failed, { once: true });
    done(false);
    await promise.finally(() => {
      waiting.delete(done);
      waitSignal?.removeEventListener('abort', failed);
    });
  };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= (async () => {
    stopping.abort();
    for (const cancel of timers.values()) cancel();
    cancelIdle();
    await cluster.stop();
    await runner.stop();
    await serviceHealth.close();
    await Promise.all(servers.map(closeServer));
    // What the caller brought stays open.
    if (options.nft === undefined && nft instanceof KernelNft) nft.close();
    if (options.conntrack === undefined && conntrack instanceof Conntrack) conntrack.close();
  })());
  options.signal?.addEventListener('abort', () => void stop(), { once: true });
  return {
    stop, health, metricsText, waitForSync, tables,
    audit: async () => {
      synchronizer.markSuspect();
      runner.trigger();
      await waitForSync();
    },
  };
}

export function rulesetOptions(config: ProxyConfig): RulesetOptions {
  const podSource = config.detectLocalMode === 'BridgeInterface' ? { kind: 'interface', pattern: config.bridgeInterface } as const
    : config.detectLocalMode === 'InterfaceNamePrefix' ? { kind: 'interface', pattern: `${config.interfaceNamePrefix}*` } as const
      : config.detectLocalMode === 'ClusterCIDR' && config.clusterCIDRs.length === 0 ? { kind: 'none' } as const : { kind: 'cidrs' } as const;
  return { podSource, masqueradeAll: config.masqueradeAll, masqueradeBit: config.masqueradeBit };
}

function frontText(key: string): string {
  const [address = '', protocol, port = ''] = key.split(' ');
  return `${address === '' ? 'node port' : address} ${port}/${PROTOCOL_NAMES[Number(protocol)] ?? protocol ?? ''}`;
}

/** Looks only at the Services that changed: `checked` holds those with a healthCheckNodePort. True: it changed. */
function followHealth(cluster: Cluster, services: Iterable<string>, checked: Map<string, LocalHealth & { readonly port: number }>): boolean {
  let isChanged = false;
  for (const key of services) {
    const service = cluster.service(key);
    if (service !== undefined && service.healthCheckNodePort !== 0) {
      const [namespace = '', name = ''] = key.split('/');
      checked.set(key, { port: service.healthCheckNodePort, namespace, name, localEndpoints: countLocalEndpoints(service, cluster.slicesOf(key), cluster.nodeInfo) });
      isChanged = true;
    } else if (checked.delete(key)) isChanged = true;
  }
  return isChanged;
}

function checkedPorts(checked: ReadonlyMap<string, LocalHealth & { readonly port: number }>): Map<number, LocalHealth> {
  const wanted = new Map<number, LocalHealth>();
  for (const health of checked.values()) if (!wanted.has(health.port)) wanted.set(health.port, health);
  return wanted;
}

async function startServers(config: ProxyConfig, health: () => ProxyHealth, metrics: ProxyMetrics, metricsText: () => Promise<string>, clock: Clock, onError: (error: Error) => void): Promise<http.Server[]> {
  const answer = (path: 'healthz' | 'livez') => () => {
    const { isLive, isHealthy, isNodeEligible, lastUpdated } = health();
    const code = (path === 'healthz' ? isHealthy : isLive) ? 200 : 503;
    metrics[path].inc({ code: String(code) });
    return { code, body: { lastUpdated: new Date(lastUpdated ?? 0).toISOString(), currentTime: new Date(clock.now()).toISOString(), nodeEligible: isNodeEligible } };
  };
  const wanted: (readonly [string, Routes])[] = [
    [config.healthzBindAddress, { '/healthz': answer('healthz'), '/livez': answer('livez') }],
    [config.metricsBindAddress, {
      '/metrics': async () => ({ code: 200, body: await metricsText(), type: 'text/plain; version=0.0.4' }),
      '/configz': () => ({ code: 200, body: { 'kubeproxy.config.k8s.io': config } }),
      '/proxyMode': () => ({ code: 200, body: 'nftables', type: 'text/plain' }),
      '/healthz': answer('healthz'),
    }],
  ];
  const servers: http.Server[] = [];
  for (const [text, routes] of wanted) {
    const bind = text === '' ? undefined : parseBindAddress(text);
    if (bind !== undefined) servers.push(await serve(bind.host, bind.port, routes, onError));
  }
  return servers;
}
