// The reconciler: dirty keys in, one transaction per family out. Level-triggered: events only say which key to look at.
import { systemClock } from '@podwire/kube-client';
import type { Clock } from '@podwire/kube-client';
import { addressNumber, familyOf, parseCidr, withoutAddresses } from '../core/address.ts';
import type { Cidr, IpFamily } from '../core/address.ts';
import type { DesiredService } from '../core/desired.ts';
import type { ProxyConfig } from '../config/types.ts';
import type { Cluster } from './cluster.ts';
import type { ConntrackCleaner } from './conntrack-cleaner.ts';
import { familyLabel } from './endpoint-metrics.ts';
import type { ProxyMetrics } from './metrics.ts';
import { NoLocalEndpoints, POLICIES } from './no-local.ts';
import type { Repair } from './audit.ts';
import type { Suspicions } from './drift.ts';
import { Suspicion } from './suspicion.ts';
import type { TableProgrammer } from './table-programmer.ts';

export interface SynchronizerDeps {
  readonly cluster: Cluster;
  readonly tables: readonly TableProgrammer[];
  readonly cleaner: ConntrackCleaner | undefined;
  readonly config: ProxyConfig;
  readonly metrics: ProxyMetrics;
  readonly clock?: Clock;
  readonly onRepair: (family: IpFamily, repair: Repair) => void;
  /** After everything is programmed: health servers follow. */
  readonly onSynced: (services: Iterable<string>) => void;
}

export class Synchronizer {
  readonly #deps: SynchronizerDeps;
  readonly #clock: Clock;
  /** Dirty Services and when their cause happened. */
  #dirty = new Map<string, number | undefined>();
  #isFirstSync = true;
  #isEnvironmentDirty = true;
  #isServiceNetDirty = true;
  /** What the kernel may hold otherwise than we believe. */
  #suspicions = new Map<IpFamily, Suspicion>();
  #hasAdopted = false;
  #isReady = false;
  /** Nobody's rows are in the kernel: what is known of a Service is better than nothing. */
  #isFirstLoad = false;
  /** Programmed in the first load, and not told yet. */
  readonly #early = new Set<string>();
  #isIdle = false;
  #hasSynced = false;
  #changedAt = 0;
  #retireSince: number | undefined;
  #cleanAt: number | undefined;
  #pending = { service: 0, endpoints: 0 };
  readonly #noLocal: Readonly<Record<IpFamily, NoLocalEndpoints>> = { ip: new NoLocalEndpoints(), ip6: new NoLocalEndpoints() };

  constructor(deps: SynchronizerDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  get hasSynced(): boolean { return this.#hasSynced; }
  get hasRetired(): boolean { return this.#deps.tables.some((table) => table.hasRetired); }
  /** Milliseconds until stale UDP flows are due; undefined: there are none. */
  get cleanInMs(): number | undefined { return this.#cleanAt === undefined ? undefined : Math.max(0, this.#cleanAt - this.#clock.now()); }

  markDirty(service: string, kind: 'service' | 'endpoints', triggered: number | undefined): void {
    this.#pending[kind]++;
    const before = this.#dirty.get(service);
    this.#dirty.set(service, before !== undefined && (triggered === undefined || before < triggered) ? before : triggered);
  }

  /** From time to time: what was kept because it might be needed again. */
  markIdle(): void { this.#isIdle = true; }
  get hasUnusedChains(): boolean { return this.#deps.tables.some((table) => table.hasUnusedChains); }
  markEnvironment(): void { this.#isEnvironmentDirty = true; }
  markServiceNet(): void { this.#isServiceNetDirty = true; }
  /** Default: anything of any table. */
  markSuspect(suspicions: Suspicions = this.#everything()): void {
    for (const [family, suspicion] of suspicions) {
      const known = this.#suspicions.get(family);
      if (known === undefined) this.#suspicions.set(family, suspicion);
      else known.add(suspicion);
    }
  }
  #everything(): Suspicions { return new Map(this.#deps.tables.map(({ family }) => [family, Suspicion.everything()])); }
  /**
   * The node is known, Services and slices are on their way, and the tables were empty: each Service is programmed as it comes in, while
   * the kernel would wait otherwise. One with endpoints in several slices has some of them for a moment.
   */
  markFirstLoad(): void { this.#isFirstLoad = true; }
  /** The informers have everything: rows may be removed from now on. */
  markReady(hasAdopted: boolean): void {
    this.#isReady = true;
    this.#hasAdopted = hasAdopted;
  }

  async sync(): Promise<void> {
    if (this.#isReady) await this.#syncAll();
    else if (this.#isFirstLoad) await this.#syncKnown();
  }

  /** Programs the Services that have endpoints already; the others wait for `markReady`. */
  async #syncKnown(): Promise<void> {
    const { cluster, tables } = this.#deps;
    if (this.#isEnvironmentDirty) await this.#applyEnvironment(new Map());
    const known = new Map([...this.#dirty].filter(([key]) => cluster.service(key) !== undefined && cluster.slicesOf(key).length > 0));
    for (const key of known.keys()) this.#dirty.delete(key);
    try {
      for (const table of tables) await table.sync(this.#wanted(known, table.family));
      for (const key of known.keys()) this.#early.add(key);
    } catch (error) {
      for (const [key, at] of known) if (!this.#dirty.has(key)) this.#dirty.set(key, at);
      this.markSuspect();
      throw error;
    }
  }

  async #syncAll(): Promise<void> {
    const { tables, metrics } = this.#deps;
    const startedAt = this.#clock.now();
    const isFull = this.#isFirstSync;
    const wasEnvironmentDirty = this.#isEnvironmentDirty;
    const dirty = this.#dirty;
    this.#dirty = new Map();
    const pending = this.#pending;
    this.#pending = { service: 0, endpoints: 0 };
    try {
      if (this.#isServiceNetDirty || this.#isEnvironmentDirty) await this.#applyServiceNet();
      if (this.#isEnvironmentDirty) await this.#applyEnvironment(dirty);
      for (const table of tables) {
        const before = this.#clock.now();
        const operations = await table.sync(this.#wanted(dirty, table.family));
        if (operations > 0) this.#changedAt = this.#clock.now();
        const label = { ip_family: familyLabel(table.family) };
        const seconds = (this.#clock.now() - before) / 1000;
        metrics.syncDuration.observe(label, seconds);
        (isFull ? metrics.fullSyncDuration : metrics.partialSyncDuration).observe(label, seconds);
      }
      this.#isFirstSync = false;
      if (this.#hasAdopted) {
        for (const table of tables) await table.removeAdopted();
        this.#hasAdopted = false;
      }
      await this.#repair();
      this.#cleanConntrack();
      await this.#retire();
      if (this.#isIdle && !this.hasRetired) for (const table of tables) await table.retireChains();
      this.#isIdle = false;
    } catch (error) {
      // Nothing is forgotten, and what the kernel holds is no longer known.
      for (const [key, at] of dirty) if (!this.#dirty.has(key)) this.#dirty.set(key, at);
      this.#pending = { service: this.#pending.service + pending.service, endpoints: this.#pending.endpoints + pending.endpoints };
      this.#isEnvironmentDirty ||= wasEnvironmentDirty;
      this.markSuspect();
      for (const table of tables) metrics.syncFailures.inc({ ip_family: familyLabel(table.family) });
      throw error;
    }
    this.#record(dirty, pending, startedAt);
    this.#hasSynced = true;
    this.#deps.onSynced(new Set([...this.#early, ...dirty.keys()]));
    this.#early.clear();
  }

  /** Computed while it is walked, as often as it is walked. */
  #wanted(dirty: ReadonlyMap<string, unknown>, family: IpFamily): Iterable<readonly [string, DesiredService | undefined]> {
    const { cluster } = this.#deps;
    const noLocal = this.#noLocal[family];
    return {
      *[Symbol.iterator]() {
        for (const key of dirty.keys()) {
          const desired = cluster.desired(key, family);
          noLocal.note(key, cluster.service(key), desired);
          yield [key, desired] as const;
        }
      },
    };
  }

  /** What is dropped because no Service has it. With a proxy name of our own, most Services are somebody else's, and this is theirs to say. */
  async #applyServiceNet(): Promise<void> {
    const { cluster, config, tables } = this.#deps;
    this.#isServiceNetDirty = false;
    const all = config.serviceProxyName === '' ? [...cidrs(config.serviceCIDRs), ...cluster.serviceCIDRs()] : [];
    for (const table of tables) {
      const others = cluster.otherClusterIPs().filter((address) => familyOf(address) === table.family).map(addressNumber);
      await table.setConfig('svc-net', withoutAddresses(all.filter((cidr) => cidr.family === table.family), others));
    }
  }

  async #applyEnvironment(dirty: Map<string, number | undefined>): Promise<void> {
    const { cluster, config, tables } = this.#deps;
    this.#isEnvironmentDirty = false;
    const { addresses, podCIDRs } = cluster.node;
    const all = {
      'pod-net': cidrs(config.detectLocalMode === 'NodeCIDR' ? podCIDRs : config.detectLocalMode === 'ClusterCIDR' ? config.clusterCIDRs : []),
      'node-ip': config.nodePortAddresses.flatMap((entry) => (entry === 'primary' ? cidrs(addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}`)) : cidrs([entry]))),
    };
    for (const table of tables) {
      for (const set of ['pod-net', 'node-ip'] as const) await table.setConfig(set, all[set].filter((cidr) => cidr.family === table.family));
    }
    for (const key of cluster.serviceKeys()) if (!dirty.has(key)) dirty.set(key, undefined);
  }

  async #repair(): Promise<void> {
    for (const table of this.#deps.tables) {
      const suspicion = this.#suspicions.get(table.family);
      if (suspicion === undefined) continue;
      this.#suspicions.delete(table.family); // what comes meanwhile is looked at in the next run
      const repair = await table.audit(suspicion);
      const label = { ip_family: familyLabel(table.family) };
      for (const [kind, amount] of [['row-missing', repair.added], ['row-foreign', repair.removed], ['row-changed', repair.changed], ['rules', repair.rules ? 1 : 0]] as const) {
        if (amount > 0) this.#deps.metrics.repairs.inc({ ...label, kind }, amount);
      }
      if (repair.added + repair.removed + repair.changed > 0 || repair.rules || repair.details.length > 0) this.#deps.onRepair(table.family, repair);
    }
  }

  #cleanConntrack(): void {
    const { cleaner, cluster, config, tables, metrics } = this.#deps;
    if (cleaner?.isNeeded !== true) return;
    // Not at once: the answer to a request that is on its way needs the flow to find back.
    const now = this.#clock.now();
    this.#cleanAt ??= now + config.conntrackDelayMs;
    if (now < this.#cleanAt) return;
    const nodeIPs = new Set(cluster.node.addresses);
    const isNodeIP = (address: string): boolean => nodeIPs.has(address) || config.nodePortAddresses.some((entry) => entry !== 'primary');
    for (const table of tables) {
      const before = this.#clock.now();
      const deleted = cleaner.clean(table.state, isNodeIP, now, config.conntrackGraceMs);
      metrics.conntrackDuration.observe({ ip_family: familyLabel(table.family) }, (this.#clock.now() - before) / 1000);
      if (deleted > 0) metrics.conntrackDeleted.inc({ ip_family: familyLabel(table.family) }, deleted);
    }
    this.#cleanAt = cleaner.done(now, config.conntrackGraceMs) ? now + config.conntrackGraceMs : undefined;
  }

  /** Rows that only packets on their way may still look up go when nothing has changed for a moment, or after a second at the latest. */
  async #retire(): Promise<void> {
    const { config, metrics, tables } = this.#deps;
    if (!this.hasRetired) {
      this.#retireSince = undefined;
      return;
    }
    const now = this.#clock.now();
    this.#retireSince ??= now;
    if (now - this.#changedAt < config.retireDelayMs && now - this.#retireSince < 1000) return;
    for (const table of tables) {
      if (!table.hasRetired) continue;
      await table.retire().catch((error: unknown) => {
        metrics.cleanupFailures.inc({ ip_family: familyLabel(table.family) });
        throw error;
      });
    }
    this.#retireSince = undefined;
  }

  #record(dirty: ReadonlyMap<string, number | undefined>, pending: { service: number; endpoints: number }, startedAt: number): void {
    const { metrics, tables, cluster } = this.#deps;
    const now = this.#clock.now();
    for (const table of tables) {
      const label = { ip_family: familyLabel(table.family) };
      metrics.serviceChanges.inc(label, pending.service);
      metrics.endpointChanges.inc(label, pending.endpoints);
      metrics.serviceChangesPending.set(label, this.#pending.service);
      metrics.endpointChangesPending.set(label, this.#pending.endpoints);
      for (const policy of POLICIES) metrics.noLocalEndpoints.set({ ...label, traffic_policy: policy }, this.#noLocal[table.family].count(policy));
      metrics.lastSync.set(label, now / 1000);
      metrics.lastQueued.set(label, startedAt / 1000);
      if (this.#hasSynced) for (const at of dirty.values()) if (at !== undefined) metrics.programming.observe(label, Math.max(0, now - at) / 1000);
    }
    metrics.services.set(cluster.serviceCount);
  }
}

function cidrs(texts: readonly string[]): Cidr[] {
  return texts.map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined);
}
