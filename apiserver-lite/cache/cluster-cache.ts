import type { GroupResource } from '../registry/definition.ts';
import type { Store, StoreEvent, WatchStream } from '../store/store.ts';
import type { StoreError } from '../store/store.ts';
import { CachedObject } from './cached-object.ts';
import { claimsPrefix, objectsPrefix, resourcePrefix } from './keys.ts';
import { ResourceCache } from './resource-cache.ts';
import type { CacheEvent } from './resource-cache.ts';

/** How much history is read back at start, in revisions. */
const seedRevisions = 2000;

/**
 * The whole cluster state in memory, following the store's event stream. With SQLite it is updated before
 * a commit is acknowledged; with etcd `catchUp` waits for it.
 */
export class ClusterCache {
  readonly #store: Store;
  readonly #resources = new Map<string, ResourceCache>();
  readonly #claims = new Map<string, string>();
  #waiting: { revision: number; resolve: () => void }[] = [];
  #revision = 0;
  #startRevision = 0;
  #stream: WatchStream | undefined;
  #onLost: (error: StoreError) => void = () => undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Loads everything and follows the store. `onLost`: the stream ended and the process must start anew. */
  async start(onLost: (error: StoreError) => void): Promise<void> {
    this.#onLost = onLost;
    const objects = await this.#store.list(objectsPrefix);
    const claims = await this.#store.list(claimsPrefix, { revision: objects.revision });
    this.#revision = objects.revision;
    this.#startRevision = this.#revision;
    for (const entry of objects.entries) this.#cacheOf(entry.key).load(new CachedObject(entry.key, entry.value, entry.revision));
    for (const entry of claims.entries) this.#claims.set(entry.key.slice(claimsPrefix.length), entry.value);
    this.#seed();
    this.#stream = this.#store.watch('/', this.#revision, { onEvents: (events) => this.#apply(events), onEnd: (error) => this.#onLost(error) });
  }

  stop(): void {
    this.#stream?.close();
  }

  get revision(): number {
    return this.#revision;
  }

  resource(place: GroupResource): ResourceCache {
    return this.#cacheOf(resourcePrefix(place));
  }

  claimOwner(key: string): string | undefined {
    return this.#claims.get(key);
  }

  countClaims(prefix: string): number {
    let count = 0;
    for (const key of this.#claims.keys()) if (key.startsWith(prefix)) count += 1;
    return count;
  }

  claims(): ReadonlyMap<string, string> {
    return this.#claims;
  }

  /** Resolves when every commit acknowledged so far, by any API server, is in this cache. */
  async catchUp(): Promise<void> {
    await this.waitFor(await this.#store.currentRevision(), 5000);
  }

  /** True when the cache reached the revision in time. */
  waitFor(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting.push({ revision, resolve: () => { clearTimeout(timer); resolve(true); } });
    });
  }

  #apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      this.#revision = Math.max(this.#revision, event.revision);
      if (event.key.startsWith(objectsPrefix)) this.#cacheOf(event.key).apply(event);
      else if (event.key.startsWith(claimsPrefix)) {
        const claim = event.key.slice(claimsPrefix.length);
        if (event.type === 'put') this.#claims.set(claim, event.value);
        else this.#claims.delete(claim);
      }
    }
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ revision }) => revision <= this.#revision);
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#revision);
    for (const { resolve } of ready) resolve();
  }

  #cacheOf(key: string): ResourceCache {
    const third = key.indexOf('/', key.indexOf('/', objectsPrefix.length) + 1);
    const prefix = key.slice(0, third + 1);
    let cache = this.#resources.get(prefix);
    if (cache === undefined) {
      cache = new ResourceCache(this.#startRevision);
      this.#resources.set(prefix, cache);
    }
    return cache;
  }

  /** Reads recent history back, so that clients survive a restart of the server without listing again. */
  #seed(): void {
    const from = Math.max(this.#revision - seedRevisions, 0);
    const events = this.#store.history?.(objectsPrefix, from);
    if (events === undefined) return;
    this.#startRevision = from;
    const byCache = new Map<ResourceCache, CacheEvent[]>([...this.#resources.values()].map((cache) => [cache, []]));
    for (const event of events) {
      const cache = this.#cacheOf(event.key);
      const list = byCache.get(cache) ?? [];
      byCache.set(cache, list);
      const current = new CachedObject(event.key, event.value, event.revision);
      const previous = event.previous === undefined ? undefined : new CachedObject(event.key, event.previous, event.revision);
      const type = event.type === 'delete' ? 'DELETED' : previous === undefined || event.createRevision === event.revision ? 'ADDED' : 'MODIFIED';
      list.push({ type, current, ...(previous && { previous }) });
    }
    for (const [cache, list] of byCache) cache.seedWindow(from, list);
  }
}
