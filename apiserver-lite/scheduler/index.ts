// The scheduler's shell: pending pods in, bindings out. What it decides is in framework.ts and plugins/.
import type { Informer, KubeClient, Namespace, Node, Pod } from '@podwire/kube-client';
import { EventRecorder, Informer as Cache, isConflict, isNotFound, kubeTime, referenceTo, resources, WorkQueue } from '@podwire/kube-client';
import type { Log } from '../controllers/shared/context.ts';
import { decide, describeRefusals } from './framework.ts';
import type { Decision } from './framework.ts';
import { defaultFilters, defaultScorers } from './plugins/index.ts';
import { nodeInfo, occupies } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

const schedulerName = 'default-scheduler';

class Scheduler {
  readonly #client: KubeClient;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #namespaces: Informer<Namespace>;
  readonly #events: EventRecorder;
  readonly #queue: WorkQueue;
  /** Bound by us but not yet seen so in the cache: pod uid -> node. Counting without them would overfill a node. */
  readonly #assumed = new Map<string, string>();
  /** Pods that no node could take: they are tried again when something in the cluster changes. */
  readonly #unschedulable = new Set<string>();

  constructor(options: { client: KubeClient; log: Log; signal: AbortSignal }) {
    this.#client = options.client;
    this.#log = options.log;
    this.#signal = options.signal;
    const onError = (error: Error): void => {
      if (!options.signal.aborted) options.log.warn({ component: 'scheduler', err: error }, 'watch interrupted; it goes on from where it was');
    };
    this.#pods = new Cache({ client: options.client, resource: resources.pods, onError, indexers: { node: ({ spec }) => [spec?.nodeName ?? ''] } });
    this.#nodes = new Cache({ client: options.client, resource: resources.nodes, onError });
    this.#namespaces = new Cache({ client: options.client, resource: resources.namespaces, onError });
    this.#events = new EventRecorder({ client: options.client, component: schedulerName, onError });
    // One pod at a time: each decision must see the one before.
    this.#queue = new WorkQueue({
      process: async (key) => this.#schedule(key),
      concurrency: 1,
      retry: { initialMs: 50, maxMs: 10_000 },
      onError: (error, key) => {
        if (!options.signal.aborted) options.log.warn({ pod: key, err: error }, 'scheduling failed; it will be tried again');
      },
    });
  }

  start(): void {
    this.#pods.on({
      add: (pod, key) => this.#consider(pod, key),
      update: (pod, old, key) => {
        if (pod.spec?.nodeName !== undefined) this.#assumed.delete(pod.metadata?.uid ?? '');
        if (!occupies(pod) && occupies(old)) this.#retryUnschedulable();
        this.#consider(pod, key);
      },
      delete: (pod, key) => {
        this.#assumed.delete(pod.metadata?.uid ?? '');
        this.#unschedulable.delete(key);
        this.#retryUnschedulable();
      },
    });
    this.#nodes.on({ add: () => this.#retryUnschedulable(), update: (node, old) => {
      if (changesFit(node, old)) this.#retryUnschedulable();
    } });
    for (const informer of [this.#pods, this.#nodes, this.#namespaces]) informer.start(this.#signal);
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
    await Promise.all([this.#pods.stop(), this.#nodes.stop(), this.#namespaces.stop()]);
  }

  #consider(pod: Pod, key: string): void {
    const isOurs = (pod.spec?.schedulerName ?? schedulerName) === schedulerName;
    if (isOurs && isPending(pod) && !this.#assumed.has(pod.metadata?.uid ?? '')) this.#queue.add(key);
  }

  #retryUnschedulable(): void {
    for (const key of this.#unschedulable) this.#queue.add(key);
    this.#unschedulable.clear();
  }

  #snapshot(): Snapshot {
    const assumed = new Map<string, Pod[]>();
    for (const pod of this.#pods.store.byIndex('node', '')) {
      const node = this.#assumed.get(pod.metadata?.uid ?? '');
      if (node !== undefined) assumed.set(node, [...(assumed.get(node) ?? []), pod]);
    }
    const nodes = this.#nodes.store.list().map((node) => {
      const name = node.metadata?.name ?? '';
      return nodeInfo(node, [...this.#pods.store.byIndex('node', name).filter(occupies), ...(assumed.get(name) ?? [])]);
    });
    return { nodes, namespaceLabels: (namespace) => this.#namespaces.store.byKey(namespace)?.metadata?.labels ?? {} };
  }

  async #schedule(key: string): Promise<void> {
    await Promise.all([this.#pods, this.#nodes, this.#namespaces].map(async (informer) => informer.waitForSync(this.#signal)));
    const pod = this.#pods.store.byKey(key);
    if (pod === undefined || !isPending(pod) || this.#assumed.has(pod.metadata?.uid ?? '')) return;
    if ((pod.spec?.schedulingGates ?? []).length > 0) return;
    const decision = decide(pod, this.#snapshot(), defaultFilters, defaultScorers, Math.random());
    if (decision.node === undefined) await this.#refuse(pod, key, decision);
    else await this.#bind(pod, key, decision.node);
  }

  async #bind(pod: Pod, key: string, node: string): Promise<void> {
    const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
    this.#assumed.set(uid, node);
    try {
      await this.#client.createSubresource(resources.pods, { name, namespace }, 'binding', { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target: { apiVersion: 'v1', kind: 'Node', name: node } });
    } catch (error) {
      this.#assumed.delete(uid);
      // Gone, or bound by somebody else: the cache will say so.
      if (isNotFound(error) || isConflict(error)) return;
      throw error;
    }
    this.#events.record(referenceTo(resources.pods, pod), 'Normal', 'Scheduled', `Successfully assigned ${key} to ${node}`);
    this.#log.info({ pod: key, node }, 'scheduled');
  }

  async #refuse(pod: Pod, key: string, decision: Decision): Promise<void> {
    const message = describeRefusals(decision);
    this.#unschedulable.add(key);
    const former = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (former?.status === 'False' && former.message === message) return;
    this.#events.record(referenceTo(resources.pods, pod), 'Warning', 'FailedScheduling', message);
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: former?.status === 'False' ? (former.lastTransitionTime ?? kubeTime(Date.now())) : kubeTime(Date.now()) };
    try {
      await this.#client.patch(resources.pods, { name: pod.metadata?.name ?? '', namespace: pod.metadata?.namespace ?? '' }, 'strategic', { status: { conditions: [condition] } }, { subresource: 'status' });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

const isPending = (pod: Pod): boolean => (pod.spec?.nodeName ?? '') === '' && occupies(pod) && pod.metadata?.deletionTimestamp === undefined;

/** Heartbeats change a node every few seconds; only these changes can make room for a pod. */
function changesFit(node: Node, old: Node): boolean {
  const facts = ({ metadata, spec, status }: Node): string => JSON.stringify([metadata?.labels, spec?.taints, spec?.unschedulable, status?.allocatable]);
  return facts(node) !== facts(old);
}

/** Starts the scheduler; it runs until `signal` aborts, and `stopped` then resolves. */
export function startScheduler(options: { client: KubeClient; log: Log; signal: AbortSignal }): { readonly stopped: Promise<void> } {
  const scheduler = new Scheduler(options);
  scheduler.start();
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (): void => void scheduler.stop().then(resolve, reject);
    if (options.signal.aborted) stop();
    else options.signal.addEventListener('abort', stop, { once: true });
  });
  return { stopped };
}
