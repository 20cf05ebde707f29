// What every controller gets: the client, one shared cache per kind, a clock, a log and an Event recorder.
import type { Clock, Indexers, KubeClient, KubeObject, ResourceDescriptor, WorkQueueOptions } from '@podwire/kube-client';
import { EventRecorder, Informer, isConflict, systemClock, WorkQueue } from '@podwire/kube-client';

export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface ControllerSettings {
  /** The pods' networks, one per IP family. Nodes get their podCIDRs from them. */
  readonly clusterCidrs: readonly string[];
  /** Prefix length of one node's part; defaults 24 (IPv4) and 64 (IPv6). */
  readonly nodeMaskIPv4?: number;
  readonly nodeMaskIPv6?: number;
  /** How long a node's Lease may be silent before the node counts as unreachable; default 50 s. */
  readonly nodeGraceMs?: number;
  /** Ranges from which Services of type LoadBalancer get their address; none: they stay pending, as on bare metal. */
  readonly loadBalancerCidrs?: readonly string[];
  /** PEM of the cluster's CA, published to every namespace as ConfigMap kube-root-ca.crt. */
  readonly rootCa?: string;
}

/** Indexes that several controllers look into: by owner's uid and by namespace. */
const commonIndexers: Indexers<KubeObject> = {
  owner: ({ metadata }) => (metadata?.ownerReferences ?? []).map(({ uid }) => uid),
  namespace: ({ metadata }) => [metadata?.namespace ?? ''],
};

export class ControllerContext {
  readonly client: KubeClient;
  readonly settings: ControllerSettings;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #queues: WorkQueue[] = [];

  constructor(options: { client: KubeClient; settings: ControllerSettings; log: Log; signal: AbortSignal; clock?: Clock }) {
    this.client = options.client;
    this.settings = options.settings;
    this.log = options.log;
    this.signal = options.signal;
    this.clock = options.clock ?? systemClock;
  }

  /** The shared cache of a kind, with the indexes `owner` (uid) and `namespace`. Starts on first use. */
  informer<T extends KubeObject>(resource: ResourceDescriptor<T>): Informer<T> {
    const key = `${resource.group}/${resource.plural}`;
    let informer = this.#informers.get(key);
    if (informer === undefined) {
      informer = new Informer<KubeObject>({
        client: this.client,
        resource,
        indexers: commonIndexers,
        onError: (error) => {
          if (!this.signal.aborted) this.log.warn({ resource: resource.plural, err: error }, 'watch interrupted; it goes on from where it was');
        },
      }).start(this.signal);
      this.#informers.set(key, informer);
    }
    // The map's key is the descriptor, so the type behind it is the descriptor's.
    return informer as unknown as Informer<T>;
  }

  /** A queue of keys for one controller; failures are logged and tried again with back-off. */
  queue(name: string, process: (key: string) => Promise<void>, options: Partial<WorkQueueOptions> = {}): WorkQueue {
    const queue = new WorkQueue({
      process,
      concurrency: 4,
      retry: { initialMs: 20, maxMs: 30_000 },
      clock: this.clock,
      onError: (error, key, attempt) => {
        // Conflicts are the normal course of optimistic writing: only a stubborn one is worth a line.
        if (this.signal.aborted || (isConflict(error) && attempt < 5)) return;
        this.log.warn({ controller: name, key, attempt, err: error }, 'sync failed; it will be tried again');
      },
      ...options,
    });
    this.#queues.push(queue);
    return queue;
  }

  recorder(component: string): EventRecorder {
    return new EventRecorder({
      client: this.client,
      component,
      clock: this.clock,
      onError: (error) => {
        if (!this.signal.aborted) this.log.warn({ component, err: error }, 'an Event was lost');
      },
    });
  }

  /** Ends the queues; the informers end with the signal. */
  async stop(): Promise<void> {
    await Promise.all(this.#queues.map(async (queue) => queue.stop()));
    await Promise.all([...this.#informers.values()].map(async (informer) => informer.stop()));
  }
}

/** Adds the object's key to a queue on every change of it. */
export function enqueueOn<T extends KubeObject>(informer: Informer<T>, queue: WorkQueue): void {
  informer.on({ add: (_object, key) => queue.add(key), update: (_object, _old, key) => queue.add(key), delete: (_old, key) => queue.add(key) });
}

/** Runs `run` now and then every `ms` until the context's signal ends it. */
export function every(context: ControllerContext, ms: number, run: () => void): void {
  let cancel = (): void => undefined;
  const tick = (): void => {
    run();
    cancel = context.clock.timer(ms, tick);
  };
  context.signal.addEventListener('abort', () => cancel(), { once: true });
  if (!context.signal.aborted) tick();
}
