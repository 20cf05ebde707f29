// Keeps this node's Node object and Lease in the API.
import { setTimeout as sleep } from 'node:timers/promises';
import { Informer, isAlreadyExists, isNotFound, renewLease, resources } from '@podwire/kube-client';
import type { KubeClient, Node } from '@podwire/kube-client';
import type { Logger } from 'pino';
import { changedConditions, desiredNode, nodeConditions, nodeLabelsOf, nodeStatus, statusDiffers } from './status.ts';
import type { NodeState } from './status.ts';

const leaseMs = 10_000;
const reportMs = 300_000;
const retryMs = 1000;

export interface RegistrarOptions {
  readonly client: KubeClient;
  readonly name: string;
  readonly state: () => Promise<NodeState>;
  readonly onNode: (node: Node) => void;
  readonly register: boolean;
  /** True shortly after the start, while the parts have not answered yet: a node that is Ready in the API is not called unready for that. */
  readonly warmingUp: () => boolean;
  readonly log: Logger;
}

export class NodeRegistrar {
  readonly #options: RegistrarOptions;
  readonly #signal: AbortSignal;
  readonly #informer: Informer<Node>;
  #dirty = true;
  #wake: (() => void) | undefined;
  #lastReport = 0;
  #node: Node | undefined;

  constructor(options: RegistrarOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const onError = (error: Error): void => options.log.debug({ err: error }, 'watch of own node');
    this.#informer = new Informer({ client: options.client, resource: resources.nodes, fieldSelector: `metadata.name=${options.name}`, onError });
    const noted = (node: Node): void => {
      this.#node = node;
      options.onNode(node);
      this.changed();
    };
    this.#informer.on({
      add: noted, update: noted,
      // Somebody deleted the Node while its agent lives: register again.
      delete: () => { this.#node = undefined; this.changed(); },
    });
  }

  get node(): Node | undefined {
    return this.#node;
  }

  start(): void {
    this.#informer.start(this.#signal);
    void this.#reports();
    void this.#leases();
  }

  /** Something of the node's state changed: compare and write if it must be. */
  changed(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  async #reports(): Promise<void> {
    while (!this.#signal.aborted) {
      this.#dirty = false;
      let waitMs = leaseMs;
      try {
        await this.#report();
      } catch (error) {
        this.#options.log.debug({ err: error }, 'node status not written; retried');
        waitMs = retryMs;
      }
      if (!this.#isDirty() || waitMs === retryMs) await this.#pause(waitMs, waitMs !== retryMs);
    }
  }

  /** Asked anew: the type checker otherwise believes that it cannot change across an await. */
  #isDirty(): boolean {
    return this.#dirty;
  }

  async #pause(ms: number, wakeable: boolean): Promise<void> {
    const early = new AbortController();
    if (wakeable) this.#wake = () => early.abort();
    await sleep(ms, undefined, { signal: AbortSignal.any([this.#signal, early.signal]) }).catch(() => undefined);
    this.#wake = undefined;
  }

  async #report(): Promise<void> {
    const { client, name, log, register } = this.#options;
    const state = await this.#options.state();
    let node = this.#node;
    if (node === undefined) {
      node = await client.get(resources.nodes, { name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      });
      if (node === undefined) {
        if (!register) return;
        node = await client.create(resources.nodes, desiredNode(state)).catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
          return client.get(resources.nodes, { name });
        });
        log.info({ node: name }, 'registered');
      }
    }
    const labels = nodeLabelsOf(state);
    if (Object.entries(labels).some(([key, value]) => node?.metadata?.labels?.[key] !== value)) await client.patch(resources.nodes, { name }, 'merge', { metadata: { labels } });
    const wanted = nodeStatus(state);
    const before = node.status?.conditions ?? [];
    const isReady = before.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    if (isReady && state.problems.length > 0 && this.#options.warmingUp()) return;
    const all = nodeConditions(state, before, Date.now());
    const due = Date.now() - this.#lastReport >= reportMs;
    // Two patches: conditions have several writers and are merged by type; addresses may hold one type twice and are replaced.
    if (due || statusDiffers(node.status, wanted)) node = await client.patch(resources.nodes, { name }, 'merge', { status: wanted }, { subresource: 'status' });
    const conditions = due ? all : changedConditions(before, all);
    if (conditions.length > 0) node = await client.patch(resources.nodes, { name }, 'strategic', { status: { conditions } }, { subresource: 'status' });
    if (due) this.#lastReport = Date.now();
    this.#node = node;
  }

  async #leases(): Promise<void> {
    while (!this.#signal.aborted) {
      let waitMs = leaseMs;
      try {
        const uid = this.#node?.metadata?.uid;
        if (uid === undefined) waitMs = 200;
        else {
          await renewLease({
            client: this.#options.client, name: this.#options.name, holderIdentity: this.#options.name, signal: AbortSignal.any([this.#signal, AbortSignal.timeout(leaseMs)]),
            ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: this.#options.name, uid }],
          });
        }
      } catch (error) {
        this.#options.log.debug({ err: error }, 'lease not renewed; retried');
        waitMs = retryMs;
      }
      await sleep(waitMs, undefined, { signal: this.#signal }).catch(() => undefined);
    }
  }
}
