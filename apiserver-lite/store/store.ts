/**
 * Where objects live. Keys are paths (`/objects/apps/deployments/default/web`), values are JSON text.
 * Every committed write gets the next revision; a revision never comes back. One contract test
 * (contract.test.ts) holds for every backend.
 */
export type Entry = Readonly<{ key: string; value: string; createRevision: number; revision: number }>;

export type StoreEvent = Readonly<{
  type: 'put' | 'delete';
  key: string;
  /** The new value; for a delete, the last value before it. */
  value: string;
  /** The value before; only promised for events from history. */
  previous?: string;
  revision: number;
  createRevision: number;
}>;

/** One write of a transaction. `expectedRevision` 0: the key must not exist; left out: whatever is there. */
export type Operation = Readonly<{ key: string; expectedRevision?: number }> & Readonly<{ put: string } | { delete: true }>;

export type Page = Readonly<{ entries: readonly Entry[]; revision: number; more: boolean }>;

export type ListOptions = Readonly<{
  /** The state as of this revision; left out: now. Compacted: throws StoreError 'Compacted'. */
  revision?: number;
  limit?: number;
  /** Only keys after this one. */
  after?: string;
}>;

export type WatchStream = Readonly<{ close(): void }>;

export type WatchHandlers = Readonly<{
  /** All events of one commit, in order; called in commit order. */
  onEvents(events: readonly StoreEvent[]): void;
  /** The stream is over: 'Compacted' when `fromRevision` is too old, else the connection is lost. */
  onEnd(error: StoreError): void;
}>;

export type Store = Readonly<{
  /** The revision of the last commit, as seen by every writer (linearizable). */
  currentRevision(): Promise<number>;
  list(prefix: string, options?: ListOptions): Promise<Page>;
  /**
   * Applies all operations or none, durably: when the promise resolves they survive kill -9 and power loss.
   * All operations of one commit share its revision. Throws StoreError 'Conflict' naming the key when an expectation fails.
   */
  commit(operations: readonly Operation[]): Promise<number>;
  /** Events after `fromRevision` under a prefix. */
  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): WatchStream;
  /** What happened after a revision, when that is at hand at once; undefined when it is not, or was compacted. */
  history?(prefix: string, fromRevision: number): readonly StoreEvent[] | undefined;
  /** Forgets the history up to and including a revision; the current state stays. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}>;

export type StoreErrorCode = 'Conflict' | 'Compacted' | 'Closed' | 'Unavailable';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** The key whose expectation failed. */
  readonly key: string | undefined;
  constructor(code: StoreErrorCode, message: string, options: { key?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.key = options.key;
  }
}

/** The first key after all keys with this prefix. */
export function prefixEnd(prefix: string): string {
  const last = prefix.codePointAt(prefix.length - 1) ?? 0;
  return prefix.slice(0, -1) + String.fromCodePoint(last + 1);
}
