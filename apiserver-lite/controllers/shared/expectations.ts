// A controller's cache lags behind its own writes. Until the creations and deletions it has just made are seen in the cache,
// counting from the cache would make them a second time.

/** How long to wait for a write that never shows (it was undone elsewhere) before trusting the cache again. */
const timeoutMs = 30_000;

interface Expected {
  readonly created: Set<string>;
  readonly deleted: Set<string>;
  readonly sinceMs: number;
}

export class Expectations {
  readonly #byOwner = new Map<string, Expected>();

  /** The write that made or deleted the object (by uid) has been acknowledged but may not be in the cache yet. */
  expect(owner: string, kind: 'created' | 'deleted', uid: string, nowMs: number): void {
    const entry = this.#byOwner.get(owner) ?? { created: new Set(), deleted: new Set(), sinceMs: nowMs };
    entry[kind].add(uid);
    this.#byOwner.set(owner, entry);
  }

  /** True when the cache, described by `isCached` and `isLeaving`, shows everything this owner has written. */
  fulfilled(owner: string, nowMs: number, isCached: (uid: string) => boolean, isLeaving: (uid: string) => boolean): boolean {
    const entry = this.#byOwner.get(owner);
    if (entry === undefined) return true;
    for (const uid of entry.created) if (isCached(uid)) entry.created.delete(uid);
    for (const uid of entry.deleted) if (!isCached(uid) || isLeaving(uid)) entry.deleted.delete(uid);
    const pending = entry.created.size + entry.deleted.size > 0;
    if (pending && nowMs - entry.sinceMs < timeoutMs) return false;
    this.#byOwner.delete(owner);
    return true;
  }

  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }
}
