// All pods of this node: a worker for each, woken by the API's watch, by the engine's events, and by a relist that misses nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '@podwire/kube-client';
import { labels } from './labels.ts';
import type { PodDeps } from './pods/deps.ts';
import { uidOf } from './pods/observed.ts';
import { nodeLabels } from './pods/specs.ts';
import { PodWorker } from './pods/worker.ts';
import { RuntimeError } from './runtime/runtime.ts';

const relistMs = 10_000;
const engineRetryMs = 500;
const collectMs = 300_000;

export interface EngineHealth {
  readonly ok: boolean;
  readonly message: string;
}

export interface ManagerHooks {
  /** Is the engine there? Called on every change. */
  engine(health: EngineHealth): void;
  /** Leftovers of the network may be collected; `sandboxes` tells which sandboxes exist at the moment it is called. */
  collect(sandboxes: () => Promise<readonly string[]>): Promise<void>;
}

export class PodManager {
  readonly #deps: PodDeps;
  readonly #hooks: ManagerHooks;
  readonly #signal: AbortSignal;
  readonly #workers = new Map<string, PodWorker>();
  #synced = false;
  readonly #firstList = Promise.withResolvers<undefined>();
  #seen = new Map<string, string>();
  #engineOk: boolean | undefined;
  #collectAt = 0;

  constructor(deps: PodDeps, hooks: ManagerHooks, signal: AbortSignal) {
    this.#deps = deps;
    this.#hooks = hooks;
    this.#signal = signal;
  }

  start(): void {
    void this.#follow();
    void this.#relists();
  }

  get workers(): IterableIterator<PodWorker> {
    return this.#workers.values();
  }

  find(namespace: string, name: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) if (worker.pod.metadata?.name === name && worker.pod.metadata.namespace === namespace) return worker;
    return undefined;
  }

  worker(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  /** A pod bound to this node was added or changed. */
  set(pod: Pod): void {
    const uid = uidOf(pod);
    const known = this.#workers.get(uid);
    if (known === undefined) this.#add(pod, false);
    else known.update(pod);
  }

  /** The API has no such pod any more. */
  delete(pod: Pod): void {
    this.#workers.get(uidOf(pod))?.removed();
  }

  /** Resolves when every pod of this node is known: an agent that has just started must not deny one. */
  get whenSynced(): Promise<unknown> {
    return this.#firstList.promise;
  }

  /** The first list is complete: from now on, what runs without a pod is a leftover. */
  synced(): void {
    this.#synced = true;
    this.#firstList.resolve(undefined);
    void this.relist();
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }

  #add(pod: Pod, orphan: boolean): void {
    const uid = uidOf(pod);
    const worker = new PodWorker(this.#deps, pod, orphan, () => {
      if (this.#workers.get(uid) === worker) this.#workers.delete(uid);
    });
    this.#workers.set(uid, worker);
  }

  async #follow(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        const events = this.#deps.runtime.events(nodeLabels(this.#deps.settings), this.#signal);
        // A relist behind the open stream: what happened before it was open is seen too.
        const opened = setTimeout(() => void this.relist(), 50);
        try {
          for await (const event of events) this.#workers.get(event.podUid)?.wake();
        } finally {
          clearTimeout(opened);
        }
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        this.#engine(error);
      }
      await this.#pause(engineRetryMs);
    }
  }

  async #relists(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.relist();
      await this.#pause(this.#engineOk === true ? relistMs : engineRetryMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal }).catch(() => undefined);
  }

  #engine(error: RuntimeError | undefined): void {
    const ok = error === undefined;
    if (ok === this.#engineOk) return;
    this.#engineOk = ok;
    if (error === undefined) this.#deps.log.info('the container engine answers');
    else this.#deps.log.error({ err: error }, error.message);
    this.#hooks.engine({ ok, message: error?.message ?? '' });
    if (ok) this.wakeAll();
  }

  /** Compares all containers of this node with what was there before; wakes whose pods changed; clears leftovers. */
  async relist(): Promise<void> {
    try {
      const all = await this.#deps.runtime.containers.list(nodeLabels(this.#deps.settings), this.#signal);
      this.#engine(undefined);
      const now = new Map<string, string>();
      for (const one of all) {
        if (one.role === 'node') continue;
        const uid = one.labels[labels.podUid] ?? '';
        now.set(uid, `${now.get(uid) ?? ''} ${one.id}:${one.state}`);
        if (this.#synced && !this.#workers.has(uid)) this.#adoptOrphan(uid, one.labels);
      }
      for (const uid of new Set([...now.keys(), ...this.#seen.keys()])) if (now.get(uid) !== this.#seen.get(uid)) this.#workers.get(uid)?.wake();
      this.#seen = now;
      if (this.#synced) await this.#collect();
    } catch (error) {
      if (this.#signal.aborted) return;
      if (error instanceof RuntimeError) this.#engine(error.code === 'EUNAVAILABLE' ? error : undefined);
      this.#deps.log.debug({ err: error }, 'relist failed; retried');
    }
  }

  #adoptOrphan(uid: string, found: Readonly<Record<string, string>>): void {
    const [name = '', namespace = ''] = [found[labels.podName], found[labels.podNamespace]];
    this.#deps.log.info({ pod: `${namespace}/${name}`, uid }, 'containers of a pod that the API does not have: removing them');
    const deletionTimestamp = new Date(this.#deps.clock.now()).toISOString();
    this.#add({ metadata: { uid, name, namespace, deletionTimestamp, deletionGracePeriodSeconds: 1 }, spec: { containers: [] } }, true);
  }

  async #collect(): Promise<void> {
    for (const uid of await this.#deps.volumes.present()) if (!this.#workers.has(uid)) await this.#deps.volumes.tearDown(uid);
    if (Date.now() < this.#collectAt) return;
    this.#collectAt = Date.now() + collectMs;
    await this.#hooks.collect(async () => {
      const filter = { ...nodeLabels(this.#deps.settings), [labels.role]: 'sandbox' };
      return (await this.#deps.runtime.containers.list(filter, this.#signal)).map((one) => one.id);
    });
  }
}
