// A cache that follows the API server: list, then watch from there, for ever. What handlers see is a faithful history:
// every difference between two moments arrives as add, update or delete, also across lost connections and expired versions.
import { aborted, backoffMs, delay, systemClock } from './clock.ts';
import type { BackoffOptions, Clock } from './clock.ts';
import type { KubeClient } from './client.ts';
import { ApiError, isGone } from './errors.ts';
import type { ResourceDescriptor } from './resources.ts';
import { Store } from './store.ts';
import type { Indexers, ReadonlyStore } from './store.ts';
import { keyOf } from './types.ts';
import type { WatchOptions } from './watch.ts';
import type { KubeObject } from './types.ts';

export interface InformerHandlers<S> {
  readonly add?: (object: S, key: string) => void;
  readonly update?: (object: S, old: S, key: string) => void;
  readonly delete?: (old: S, key: string) => void;
}

export interface InformerOptions<T extends KubeObject, S> {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>;
  readonly resource: ResourceDescriptor<T>;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What to keep of an object; default all but managedFields. The store and the handlers see its result. It must not throw for bad data. */
  readonly transform?: (object: T) => S;
  readonly indexers?: Indexers<S>;
  /** Calls `update(object, object)` for everything this often; default never. */
  readonly resyncMs?: number;
  readonly pageSize?: number;
  readonly clock?: Clock;
  readonly backoff?: BackoffOptions;
  /** 0..1; spreads retries. Default Math.random. */
  readonly random?: () => number;
  /** Lost connections, refused lists, handlers that threw. Default: silent. */
  readonly onError?: (error: Error) => void;
}

export class Informer<T extends KubeObject, S = T> {
  readonly #options: InformerOptions<T, S>;
  readonly #clock: Clock;
  readonly #store: Store<S>;
  /** resourceVersion by key: tells an unchanged object from a changed one in a relist, whatever the transform kept. */
  readonly #versions = new Map<string, string>();
  readonly #handlers = new Set<InformerHandlers<S>>();
  readonly #waiting = new Set<() => void>();
  #synced = false;
  #failures = 0;
  #lists = 0;
  #running: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(options: InformerOptions<T, S>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#store = new Store(options.indexers);
  }

  get store(): ReadonlyStore<S> { return this.#store; }
  /** True once the first list is in the store and its handlers ran. */
  get hasSynced(): boolean { return this.#synced; }
  /** How often the whole list was fetched: 1 in a quiet life. */
  get listCount(): number { return this.#lists; }

  /** Registers handlers; those who come late get an `add` for each object that is there. Returns the way to remove them. */
  on(handlers: InformerHandlers<S>): () => void {
    this.#handlers.add(handlers);
    for (const key of this.#store.keys()) {
      const object = this.#store.byKey(key);
      if (object !== undefined) this.#call(() => handlers.add?.(object, key));
    }
    return () => void this.#handlers.delete(handlers);
  }

  /** Starts to follow; ends with `signal` or `stop()`. */
  start(signal?: AbortSignal): this {
    if (this.#running !== undefined) return this;
    if (signal?.aborted === true) this.#stop.abort();
    signal?.addEventListener('abort', () => this.#stop.abort(), { once: true, signal: this.#stop.signal });
    this.#running = this.#run(this.#stop.signal);
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Resolves when the first list is in; rejects when `signal` aborts or the informer stops. */
  async waitForSync(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return;
    const stopped = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    stopped.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        stopped.removeEventListener('abort', failed);
        resolve();
      };
      const failed = (): void => {
        this.#waiting.delete(done);
        reject(stopped.reason instanceof Error ? stopped.reason : new DOMException('aborted', 'AbortError'));
      };
      this.#waiting.add(done);
      stopped.addEventListener('abort', failed, { once: true });
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const cancelResync = this.#resync();
    let version: string | undefined;
    while (!signal.aborted) {
      const startedAt = this.#clock.now();
      try {
        version ??= await this.#list(signal);
        for await (const event of this.#options.client.watch(this.#options.resource, this.#watchOptions(version, signal))) {
          version = event.object.metadata?.resourceVersion ?? version;
          this.#failures = 0;
          if (event.type === 'DELETED') this.#remove(keyOf(event.object));
          else if (event.type !== 'BOOKMARK') this.#put(event.object);
        }
        // The server ended the watch, as it does every few minutes: go on from here; but not in a tight loop.
        if (this.#clock.now() - startedAt < 1000) await this.#pause(signal);
      } catch (error) {
        if (aborted(signal)) break;
        if (error instanceof ApiError) version = undefined;
        this.#report(error);
        if (!isGone(error) || this.#failures > 0) await this.#pause(signal);
        else this.#failures++;
      }
    }
    cancelResync();
  }

  #watchOptions(resourceVersion: string, signal: AbortSignal): WatchOptions {
    return { ...this.#selection(), resourceVersion, signal, timeoutSeconds: 300 + Math.floor((this.#options.random ?? Math.random)() * 300) };
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { ...(namespace === undefined ? {} : { namespace }), ...(labelSelector === undefined ? {} : { labelSelector }), ...(fieldSelector === undefined ? {} : { fieldSelector }) };
  }

  /** Lists page by page (never the whole list in memory), then drops what no page had. Returns the version to watch from. */
  async #list(signal: AbortSignal): Promise<string> {
    const seen = new Set<string>();
    let version = '';
    const paging = this.#options.pageSize === undefined ? {} : { pageSize: this.#options.pageSize };
    this.#lists++;
    for await (const page of this.#options.client.pages(this.#options.resource, { ...this.#selection(), ...paging, signal })) {
      for (const object of page.items) seen.add(this.#put(object));
      version = page.metadata?.resourceVersion ?? version;
    }
    for (const key of this.#store.keys()) if (!seen.has(key)) this.#remove(key);
    if (!this.#synced) {
      this.#synced = true;
      for (const done of this.#waiting) done();
      this.#waiting.clear();
    }
    return version;
  }

  #put(object: T): string {
    const key = keyOf(object);
    const version = object.metadata?.resourceVersion ?? '';
    if (version !== '' && this.#versions.get(key) === version) return key;
    const kept = this.#options.transform === undefined ? withoutManagedFields(object) as unknown as S : this.#options.transform(object);
    this.#versions.set(key, version);
    const old = this.#store.set(key, kept);
    for (const handlers of this.#handlers) this.#call(() => old === undefined ? handlers.add?.(kept, key) : handlers.update?.(kept, old, key));
    return key;
  }

  #remove(key: string): void {
    this.#versions.delete(key);
    const old = this.#store.delete(key);
    if (old === undefined) return;
    for (const handlers of this.#handlers) this.#call(() => handlers.delete?.(old, key));
  }

  #resync(): () => void {
    const every = this.#options.resyncMs;
    if (every === undefined) return () => undefined;
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = this.#clock.timer(every, () => {
        for (const key of this.#store.keys()) {
          const object = this.#store.byKey(key);
          if (object === undefined) continue;
          for (const handlers of this.#handlers) this.#call(() => handlers.update?.(object, object, key));
        }
        again();
      });
    };
    again();
    return () => cancel();
  }

  /** A handler that throws must not stop the others nor the informer: it is reported instead. */
  #call(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void { this.#options.onError?.(error instanceof Error ? error : new Error(String(error))); }

  async #pause(signal: AbortSignal): Promise<void> {
    const ms = backoffMs(this.#failures++, { initialMs: 100, maxMs: 5000, jitter: (this.#options.random ?? Math.random)(), ...this.#options.backoff });
    try {
      await delay(this.#clock, ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** managedFields is often half of an object and no reader of a cache wants it. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields !== undefined) delete object.metadata.managedFields;
  return object;
}
