// The informer's cache: objects by key, and by whatever an indexer says of them.

export interface ReadonlyStore<S> {
  byKey(key: string): S | undefined;
  list(): S[];
  keys(): IterableIterator<string>;
  readonly size: number;
  /** Objects for which the indexer named `index` gave `value`. */
  byIndex(index: string, value: string): S[];
  /** Keys of those objects. */
  keysByIndex(index: string, value: string): string[];
}

/** Each indexer maps an object to the values under which it is found. */
export type Indexers<S> = Readonly<Record<string, (object: S) => readonly string[]>>;

/** Most values have one object: a key then stands for a set of it. */
interface Index<S> {
  readonly valuesOf: (object: S) => readonly string[];
  readonly keys: Map<string, string | Set<string>>;
}

export class Store<S> implements ReadonlyStore<S> {
  readonly #objects = new Map<string, S>();
  readonly #indexes = new Map<string, Index<S>>();

  constructor(indexers: Indexers<S> = {}) {
    for (const [name, valuesOf] of Object.entries(indexers)) this.#indexes.set(name, { valuesOf, keys: new Map() });
  }

  get size(): number { return this.#objects.size; }
  byKey(key: string): S | undefined { return this.#objects.get(key); }
  list(): S[] { return [...this.#objects.values()]; }
  keys(): IterableIterator<string> { return this.#objects.keys(); }

  byIndex(index: string, value: string): S[] {
    return this.keysByIndex(index, value).map((key) => this.#objects.get(key)).filter((object) => object !== undefined);
  }

  keysByIndex(index: string, value: string): string[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`store: no index named "${index}"; declare it in the informer's indexers`);
    const keys = found.keys.get(value);
    return keys === undefined ? [] : typeof keys === 'string' ? [keys] : [...keys];
  }

  /** Stores and returns what was there before. */
  set(key: string, object: S): S | undefined {
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    for (const { keys, valuesOf } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const known = keys.get(value);
        if (known === undefined) keys.set(value, key);
        else if (typeof known !== 'string') known.add(key);
        else if (known !== key) keys.set(value, new Set([known, key]));
      }
    }
    return old;
  }

  delete(key: string): S | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#unindex(key, old);
    this.#objects.delete(key);
    return old;
  }

  #unindex(key: string, object: S): void {
    for (const { keys, valuesOf } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const known = keys.get(value);
        if (known === key) keys.delete(value);
        else if (typeof known === 'object' && known.delete(key) && known.size === 0) keys.delete(value);
      }
    }
  }
}
