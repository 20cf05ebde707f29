import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { prefixEnd, StoreError } from './store.ts';
import type { Entry, ListOptions, Operation, Page, Store, StoreEvent, WatchHandlers, WatchStream } from './store.ts';

/**
 * One append-only table: a row per write. The latest row of a key is its state, older rows are the history
 * that watches and paged lists read until compaction drops them.
 *
 * Group commit: all commits that arrive in one turn of the event loop share one SQLite transaction and so
 * one fsync. Each commit is checked against the state left by those before it; a conflict rejects it alone.
 */
const schemaSql = `
create table if not exists writes (
  revision integer not null, position integer not null, key text not null, value text,
  created integer not null, primary key (revision, position)
) without rowid;
create index if not exists writes_by_key on writes (key, revision, position);
create table if not exists meta (name text primary key, value integer not null) without rowid;
`;

type Known = { createRevision: number; revision: number };
type Pending = { operations: readonly Operation[]; resolve: (revision: number) => void; reject: (error: StoreError) => void };
type Watcher = { prefix: string; handlers: WatchHandlers };

export class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #lastValue: StatementSync;
  /** Key -> revisions of its latest state: what commits are checked against. Values stay on disk; the API server caches them itself. */
  readonly #latest = new Map<string, Known>();
  readonly #watchers = new Set<Watcher>();
  #queue: Pending[] = [];
  #flushing = false;
  #revision: number;
  #compacted: number;
  #closed = false;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(path);
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 2000; pragma wal_autocheckpoint = 4000;');
    this.#database.exec('pragma locking_mode = exclusive;');
    this.#database.exec(schemaSql);
    const meta = (name: string): number => (this.#database.prepare("select value from meta where name = ?").get(name) as { value: number } | undefined)?.value ?? 0;
    const last = this.#database.prepare('select coalesce(max(revision), 0) as revision from writes').get() as { revision: number };
    this.#compacted = meta('compacted');
    this.#revision = Math.max(last.revision, this.#compacted, 1);
    const latest = this.#database.prepare(`select key, created, revision from writes w where value is not null
      and not exists (select 1 from writes n where n.key = w.key and (n.revision, n.position) > (w.revision, w.position))`).all();
    for (const { key, created, revision } of latest as { key: string; created: number; revision: number }[]) this.#latest.set(key, { createRevision: created, revision });
    this.#lastValue = this.#database.prepare('select value from writes where key = ? order by revision desc, position desc limit 1');
    this.#insert = this.#database.prepare('insert into writes (revision, position, key, value, created) values (?, ?, ?, ?, ?)');
  }

  currentRevision(): Promise<number> {
    return Promise.resolve(this.#revision);
  }

  list(prefix: string, options: ListOptions = {}): Promise<Page> {
    const revision = options.revision ?? this.#revision;
    if (revision < this.#compacted) return Promise.reject(new StoreError('Compacted', `revision ${revision} has been compacted; the oldest is ${this.#compacted}`));
    const start = options.after === undefined ? prefix : `${options.after}\0`;
    const entries = this.#rowsAt(revision, start, prefixEnd(prefix));
    const limit = options.limit ?? Infinity;
    return Promise.resolve({ entries: entries.slice(0, limit), revision, more: entries.length > limit });
  }

  commit(operations: readonly Operation[]): Promise<number> {
    if (this.#closed) return Promise.reject(new StoreError('Closed', 'the store is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ operations, resolve, reject });
      if (this.#flushing) return;
      this.#flushing = true;
      setImmediate(() => this.#flush());
    });
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): WatchStream {
    const watcher: Watcher = { prefix, handlers };
    const stream = { close: () => void this.#watchers.delete(watcher) };
    if (fromRevision < this.#compacted) {
      queueMicrotask(() => handlers.onEnd(new StoreError('Compacted', `revision ${fromRevision} has been compacted; the oldest is ${this.#compacted}`)));
      return stream;
    }
    const missed = this.#eventsAfter(fromRevision, prefix);
    if (missed.length > 0) handlers.onEvents(missed);
    this.#watchers.add(watcher);
    return stream;
  }

  history(prefix: string, fromRevision: number): readonly StoreEvent[] | undefined {
    return fromRevision < this.#compacted ? undefined : this.#eventsAfter(fromRevision, prefix);
  }

  compact(revision: number): Promise<void> {
    const upTo = Math.min(revision, this.#revision);
    if (upTo <= this.#compacted) return Promise.resolve();
    this.#database.exec('begin immediate');
    this.#database.prepare(`delete from writes where revision <= ?1 and (value is null or exists (
      select 1 from writes newer where newer.key = writes.key and newer.revision <= ?1 and (newer.revision, newer.position) > (writes.revision, writes.position)))`).run(upTo);
    this.#database.prepare("insert into meta (name, value) values ('compacted', ?1) on conflict (name) do update set value = ?1").run(upTo);
    this.#database.exec('commit');
    this.#compacted = upTo;
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#queue.length > 0) this.#flush();
    this.#closed = true;
    this.#watchers.clear();
    this.#database.close();
    return Promise.resolve();
  }

  #flush(): void {
    this.#flushing = false;
    const batch = this.#queue;
    this.#queue = [];
    if (batch.length === 0 || this.#closed) return;
    const done: (() => void)[] = [];
    const events: StoreEvent[][] = [];
    const undo: [string, Known | undefined][] = [];
    const revisionBefore = this.#revision;
    try {
      this.#database.exec('begin immediate');
      for (const pending of batch) {
        const conflict = pending.operations.find((operation) => !this.#expected(operation));
        if (conflict !== undefined) {
          done.push(() => pending.reject(new StoreError('Conflict', `${conflict.key}: changed meanwhile`, { key: conflict.key })));
          continue;
        }
        const revision = ++this.#revision;
        events.push(this.#write(pending.operations, revision, undo));
        done.push(() => pending.resolve(revision));
      }
      this.#database.exec('commit');
    } catch (cause) {
      this.#revision = revisionBefore;
      for (const [key, known] of undo.reverse()) {
        if (known === undefined) this.#latest.delete(key);
        else this.#latest.set(key, known);
      }
      if (this.#database.isTransaction) this.#database.exec('rollback');
      const error = new StoreError('Unavailable', `write to the store failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      for (const pending of batch) pending.reject(error);
      return;
    }
    for (const commit of events) this.#publish(commit);
    for (const finish of done) finish();
  }

  #expected(operation: Operation): boolean {
    if (operation.expectedRevision === undefined) return true;
    return (this.#latest.get(operation.key)?.revision ?? 0) === operation.expectedRevision;
  }

  #write(operations: readonly Operation[], revision: number, undo: [string, Known | undefined][]): StoreEvent[] {
    const events: StoreEvent[] = [];
    let position = 0;
    for (const operation of operations) {
      const known = this.#latest.get(operation.key);
      if ('put' in operation) {
        const createRevision = known?.createRevision ?? revision;
        this.#insert.run(revision, position++, operation.key, operation.put, createRevision);
        undo.push([operation.key, known]);
        this.#latest.set(operation.key, { createRevision, revision });
        events.push({ type: 'put', key: operation.key, value: operation.put, revision, createRevision });
      } else if (known !== undefined) {
        const { value } = this.#lastValue.get(operation.key) as { value: string };
        this.#insert.run(revision, position++, operation.key, null, known.createRevision);
        undo.push([operation.key, known]);
        this.#latest.delete(operation.key);
        events.push({ type: 'delete', key: operation.key, value, previous: value, revision, createRevision: known.createRevision });
      }
    }
    return events;
  }

  #publish(events: readonly StoreEvent[]): void {
    for (const { prefix, handlers } of this.#watchers) {
      const mine = events.filter((event) => event.key.startsWith(prefix));
      if (mine.length > 0) handlers.onEvents(mine);
    }
  }

  #rowsAt(revision: number, start: string, end: string): Entry[] {
    const rows = this.#database.prepare(`select key, value, created, revision from writes w where key >= ?1 and key < ?2 and revision <= ?3 and value is not null
      and not exists (select 1 from writes n where n.key = w.key and n.revision <= ?3 and (n.revision, n.position) > (w.revision, w.position)) order by key`).all(start, end, revision);
    return (rows as { key: string; value: string; created: number; revision: number }[])
      .map((row) => ({ key: row.key, value: row.value, createRevision: row.created, revision: row.revision }));
  }

  #eventsAfter(revision: number, prefix: string): StoreEvent[] {
    if (revision >= this.#revision) return [];
    const rows = this.#database.prepare(`select key, value, created, revision, (select p.value from writes p where p.key = w.key and (p.revision, p.position) < (w.revision, w.position)
      order by p.revision desc, p.position desc limit 1) as previous from writes w where revision > ?1 and key >= ?2 and key < ?3 order by revision, position`).all(revision, prefix, prefixEnd(prefix));
    return (rows as { key: string; value: string | null; created: number; revision: number; previous: string | null }[]).map((row) => ({
      type: row.value === null ? 'delete' : 'put', key: row.key, value: row.value ?? row.previous ?? '', revision: row.revision, createRevision: row.created,
      ...(row.previous !== null && { previous: row.previous }),
    }));
  }
}
