// What the API server says, kept small: Services, their slices, this node, the Service CIDRs. Tells which Service keys are dirty.
import { Informer, isNotFound, resources } from '@podwire/kube-client';
import type { EndpointSlice, KubeClient, Node, Service, ServiceCIDR } from '@podwire/kube-client';
import { parseCidr } from '../core/address.ts';
import type { Cidr, IpFamily } from '../core/address.ts';
import type { NodeInfo } from '../core/categorize.ts';
import { desiredService } from '../core/desired.ts';
import type { DesiredService } from '../core/desired.ts';
import { SERVICE_PROXY_NAME_LABEL, clusterIPsOf, parseService } from '../core/service-info.ts';
import type { ServiceInfo } from '../core/service-info.ts';
import { parseSlice } from '../core/slice-info.ts';
import type { SliceInfo } from '../core/slice-info.ts';
import type { ProxyConfig } from '../config/types.ts';
import { nodeFacts } from './node-facts.ts';
import type { NodeFacts } from './node-facts.ts';

export interface ClusterEvents {
  /** A Service, or one of its slices, changed. `triggered`: when its cause happened, if known (ms). */
  readonly onDirty: (service: string, kind: 'service' | 'endpoints', triggered: number | undefined) => void;
  /** The node changed: everything may look different. */
  readonly onEnvironment: () => void;
  /** The Service CIDRs changed, or which of their addresses other proxies serve. */
  readonly onServiceNet: () => void;
  readonly onProblem: (kind: string, key: string, problems: readonly string[]) => void;
  readonly onError: (error: Error) => void;
}

interface Kept<T> { readonly info: T | undefined; readonly triggered: number | undefined }
interface KeptService extends Kept<ServiceInfo> { /** Cluster IPs, of a Service that is not ours. */ readonly others: readonly string[] }

const NONE: readonly string[] = [];

export class Cluster {
  readonly #services: Informer<Service, KeptService>;
  /** Of Services that another proxy serves, by key. */
  readonly #others = new Map<string, readonly string[]>();
  readonly #slices: Informer<EndpointSlice, Kept<SliceInfo>>;
  readonly #node: Informer<Node, NodeFacts>;
  readonly #cidrs: Informer<ServiceCIDR>;
  readonly #nodeName: string;
  #isCidrKindMissing = false;

  constructor(client: Pick<KubeClient, 'pages' | 'watch'>, nodeName: string, config: Pick<ProxyConfig, 'serviceProxyName'>, events: ClusterEvents) {
    this.#nodeName = nodeName;
    const { onError } = events;
    this.#services = new Informer<Service, KeptService>({
      client, resource: resources.services, onError,
      transform: (service) => {
        const info = serviceOf(service, config.serviceProxyName);
        return { info, triggered: undefined, others: info === undefined ? clusterIPsOf(service) : NONE };
      },
    });
    this.#slices = new Informer<EndpointSlice, Kept<SliceInfo>>({
      client, resource: resources.endpointSlices, onError, labelSelector: '!service.kubernetes.io/headless',
      transform: (slice) => ({ info: parseSlice(slice), triggered: triggerTime(slice) }),
      indexers: { service: ({ info }) => (info === undefined ? [] : [info.service]) },
    });
    this.#node = new Informer<Node, NodeFacts>({ client, resource: resources.nodes, fieldSelector: `metadata.name=${nodeName}`, onError, transform: nodeFacts });
    this.#cidrs = new Informer<ServiceCIDR>({
      client, resource: resources.serviceCIDRs,
      // An API server from before 1.33 has no such kind: then the configuration alone says what the Service CIDRs are.
      onError: (error) => { if (isNotFound(error)) this.#isCidrKindMissing = true; else onError(error); },
      backoff: { initialMs: 1000, maxMs: 600_000 },
    });
    this.#services.on({
      add: (kept, key) => changed(kept, key),
      update: (kept, _old, key) => changed(kept, key),
      delete: (_old, key) => {
        if (this.#others.delete(key)) events.onServiceNet();
        events.onDirty(key, 'service', undefined);
      },
    });
    const changed = ({ info, others }: KeptService, key: string): void => {
      if (others.join() !== (this.#others.get(key) ?? NONE).join()) {
        if (others.length === 0) this.#others.delete(key);
        else this.#others.set(key, others);
        events.onServiceNet();
      }
      if (info !== undefined && info.problems.length > 0) events.onProblem('Service', key, info.problems);
      events.onDirty(key, 'service', undefined);
    };
    const slice = ({ info, triggered }: Kept<SliceInfo>, key: string): void => {
      if (info === undefined) return;
      if (info.problems.length > 0) events.onProblem('EndpointSlice', key, info.problems);
      events.onDirty(info.service, 'endpoints', triggered);
    };
    this.#slices.on({
      add: slice,
      update: (kept, old, key) => {
        if (old.info !== undefined && old.info.service !== kept.info?.service) events.onDirty(old.info.service, 'endpoints', undefined);
        slice(kept, key);
      },
      delete: ({ info }) => { if (info !== undefined) events.onDirty(info.service, 'endpoints', undefined); },
    });
    const environment = (): void => events.onEnvironment();
    this.#node.on({ add: environment, update: (facts, old) => { if (JSON.stringify(facts) !== JSON.stringify(old)) environment(); }, delete: environment });
    const net = (): void => events.onServiceNet();
    this.#cidrs.on({ add: net, update: net, delete: net });
  }

  start(signal: AbortSignal): void {
    for (const informer of [this.#services, this.#slices, this.#node, this.#cidrs]) informer.start(signal);
  }

  /** Resolves when the node is known: from then on it can be said what a Service is to look like on it. */
  waitForNode(signal: AbortSignal): Promise<void> { return this.#node.waitForSync(signal); }

  /** Resolves when Services, slices and nodes are known: nothing may be removed before. */
  async waitForSync(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#services.waitForSync(signal), this.#slices.waitForSync(signal), this.#node.waitForSync(signal)]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#services, this.#slices, this.#node, this.#cidrs].map((informer) => informer.stop()));
  }

  get node(): NodeFacts { return this.#node.store.byKey(this.#nodeName) ?? nodeFacts({ metadata: { name: this.#nodeName } }); }
  get hasServiceCIDRs(): boolean { return !this.#isCidrKindMissing; }
  serviceKeys(): IterableIterator<string> { return this.#services.store.keys(); }
  get serviceCount(): number { return this.#services.store.size; }
  service(key: string): ServiceInfo | undefined { return this.#services.store.byKey(key)?.info; }
  slicesOf(key: string): readonly SliceInfo[] { return this.#slices.store.byIndex('service', key).map(({ info }) => info).filter((info) => info !== undefined); }

  /** What one family's table should hold for a Service; undefined: nothing. */
  desired(key: string, family: IpFamily): DesiredService | undefined {
    const service = this.service(key);
    return service === undefined ? undefined : desiredService(service, this.slicesOf(key), family, this.nodeInfo);
  }

  get nodeInfo(): NodeInfo {
    const { name, zone, addresses } = this.node;
    return { name, zone, ips: addresses };
  }

  /** Cluster IPs of Services that are not ours. */
  otherClusterIPs(): string[] { return [...this.#others.values()].flat(); }

  serviceCIDRs(): Cidr[] {
    return this.#cidrs.store.list().flatMap((object) => (object.metadata?.deletionTimestamp === undefined ? object.spec?.cidrs ?? [] : [])).map(parseCidr).filter((cidr) => cidr !== undefined);
  }
}

/** With a proxy name configured, exactly the Services that name it are ours, and the label does not hide them. */
function serviceOf(service: Service, proxyName: string): ServiceInfo | undefined {
  if (proxyName === '') return parseService(service);
  return service.metadata?.labels?.[SERVICE_PROXY_NAME_LABEL] === proxyName ? parseService(service, '') : undefined;
}

function triggerTime(slice: EndpointSlice): number | undefined {
  const at = Date.parse(slice.metadata?.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'] ?? '');
  return Number.isNaN(at) ? undefined : at;
}

