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

export class Store<S> implements ReadonlyStore<S> {
  readonly #objects = new Map<string, S>();
  readonly #indexers: Indexers<S>;
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<S> = {}) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map());
  }

  get size(): number { return this.#objects.size; }
  byKey(key: string): S | undefined { return this.#objects.get(key); }
  list(): S[] { return [...this.#objects.values()]; }
  keys(): IterableIterator<string> { return this.#objects.keys(); }

  byIndex(index: string, value: string): S[] {
    return this.keysByIndex(index, value).map((key) => this.#objects.get(key)).filter((object) => object !== undefined);
  }

  keysByIndex(index: string, value: string): string[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new RangeError(`store: no index named "${index}"; declare it in the informer's indexers`);
    return [...(values.get(value) ?? [])];
  }

  /** Stores and returns what was there before. */
  set(key: string, object: S): S | undefined {
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      const values = this.#indexes.get(name);
      for (const value of indexer(object)) {
        const keys = values?.get(value);
        if (keys === undefined) values?.set(value, new Set([key]));
        else keys.add(key);
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
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      const values = this.#indexes.get(name);
      for (const value of indexer(object)) {
        const keys = values?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) values?.delete(value);
      }
    }
  }
}
