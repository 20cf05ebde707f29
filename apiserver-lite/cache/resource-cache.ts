import { prefixEnd } from '../store/store.ts';
import type { StoreEvent } from '../store/store.ts';
import { CachedObject } from './cached-object.ts';

export type CacheEvent = Readonly<{ type: 'ADDED' | 'MODIFIED' | 'DELETED'; current: CachedObject; previous?: CachedObject }>;
export type CacheListener = (event: CacheEvent) => void;

/** How many past events a resource keeps, for watches that come back. */
const windowSize = 4096;

/** All objects of one resource, their recent events, and who listens. */
export class ResourceCache {
  readonly #objects = new Map<string, CachedObject>();
  readonly #listeners = new Set<CacheListener>();
  #events: CacheEvent[] = [];
  /** Events after this revision are all in the window. */
  #windowStart: number;
  /** All objects in key order; made when first asked for, then kept up to date. */
  #sorted: CachedObject[] | undefined;

  constructor(windowStart: number) {
    this.#windowStart = windowStart;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  get size(): number {
    return this.#objects.size;
  }

  /** A copy of the objects whose key starts with a prefix, in key order. */
  under(prefix: string): CachedObject[] {
    const sorted = (this.#sorted ??= [...this.#objects.values()].sort((a, b) => (a.key < b.key ? -1 : 1)));
    const from = indexOfKey(sorted, prefix);
    let to = sorted.length;
    if (sorted.length > 0 && !(sorted.at(-1)?.key.startsWith(prefix) ?? false)) to = indexOfKey(sorted, prefixEnd(prefix));
    return sorted.slice(from, to);
  }

  /** A copy of all objects, in key order. */
  all(): CachedObject[] {
    return this.under('');
  }

  load(object: CachedObject): void {
    this.#objects.set(object.key, object);
    this.#sorted = undefined;
  }

  apply(event: StoreEvent): void {
    const previous = this.#objects.get(event.key);
    const current = new CachedObject(event.key, event.value, event.revision);
    let cacheEvent: CacheEvent;
    if (event.type === 'put') {
      this.#objects.set(event.key, current);
      this.#place(current, previous === undefined ? 0 : 1);
      cacheEvent = previous === undefined ? { type: 'ADDED', current } : { type: 'MODIFIED', current, previous };
    } else {
      this.#objects.delete(event.key);
      this.#place(undefined, 1, event.key);
      cacheEvent = { type: 'DELETED', current, ...(previous && { previous }) };
    }
    this.#events.push(cacheEvent);
    if (this.#events.length > windowSize * 1.25) {
      const dropped = this.#events.slice(0, -windowSize);
      this.#events = this.#events.slice(-windowSize);
      this.#windowStart = dropped.at(-1)?.current.revision ?? this.#windowStart;
    }
    for (const listener of this.#listeners) listener(cacheEvent);
  }

  #place(object: CachedObject | undefined, replaced: 0 | 1, key = object?.key ?? ''): void {
    if (this.#sorted === undefined) return;
    const at = indexOfKey(this.#sorted, key);
    if (object === undefined) this.#sorted.splice(at, replaced);
    else if (replaced === 1) this.#sorted[at] = object;
    else this.#sorted.splice(at, 0, object);
  }

  /** Puts events from before the start into the window, so that a restart does not force every client to list again. */
  seedWindow(windowStart: number, events: readonly CacheEvent[]): void {
    this.#windowStart = windowStart;
    this.#events = [...events.slice(-windowSize)];
    if (events.length > windowSize) this.#windowStart = events.at(-windowSize - 1)?.current.revision ?? windowStart;
  }

  /** Undefined when the window no longer reaches back that far. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    if (revision < this.#windowStart) return undefined;
    let from = this.#events.length;
    while (from > 0 && (this.#events[from - 1]?.current.revision ?? 0) > revision) from -= 1;
    return this.#events.slice(from);
  }

  get windowStart(): number {
    return this.#windowStart;
  }

  listen(listener: CacheListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Where a key is, or would be, in the sorted list. */
function indexOfKey(sorted: readonly CachedObject[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
