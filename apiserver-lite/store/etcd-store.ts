import { Etcd3, GRPCOutOfRangeError } from 'etcd3';
import type { IKeyValue, IOptions, IWatchResponse, Watcher } from 'etcd3';
import { prefixEnd, StoreError } from './store.ts';
import type { Entry, ListOptions, Operation, Page, Store, StoreEvent, WatchHandlers, WatchStream } from './store.ts';

/** Messages that etcd may leave out, though the types say otherwise. */
const maybe = <T>(value: T): T | null | undefined => value;

/** A large list in one message would break gRPC's limit of 4 MB. */
const pageSize = 500;

export type EtcdOptions = Readonly<{
  hosts: readonly string[];
  /** All keys lie under it, so that several clusters can share one etcd. */
  root?: string;
  credentials?: IOptions['credentials'];
}>;

/**
 * The store on etcd v3: several API servers over one etcd cluster. A commit is one etcd transaction,
 * revisions are etcd's own.
 */
export class EtcdStore implements Store {
  readonly #client: Etcd3;
  readonly #root: string;

  constructor({ hosts, root = '/podwire', credentials }: EtcdOptions) {
    this.#client = new Etcd3({ hosts: [...hosts], ...(credentials && { credentials }), grpcOptions: { 'grpc.max_receive_message_length': -1 } });
    this.#root = root;
  }

  #bytes(key: string): Buffer {
    return Buffer.from(this.#root + key);
  }

  #entry({ key, value, create_revision: created, mod_revision: modified }: IKeyValue): Entry {
    return { key: key.toString().slice(this.#root.length), value: value.toString(), createRevision: Number(created), revision: Number(modified) };
  }

  async currentRevision(): Promise<number> {
    // Not serializable: the answer comes from the leader's quorum, so it counts every acknowledged write.
    const { header } = await this.#asked(() => this.#client.kv.range({ key: this.#bytes('/'), keys_only: true }));
    return Number(header.revision);
  }

  async list(prefix: string, { revision, limit = Infinity, after }: ListOptions = {}): Promise<Page> {
    const entries: Entry[] = [];
    let at = revision;
    let start = after === undefined ? prefix : `${after}\0`;
    for (;;) {
      const want = Math.min(pageSize, limit - entries.length);
      const from = start;
      const { kvs, more, header } = await this.#asked(() => this.#client.kv.range({
        key: this.#bytes(from), range_end: this.#bytes(prefixEnd(prefix)), limit: want, ...(at !== undefined && { revision: at }),
      }));
      at ??= Number(header.revision);
      entries.push(...kvs.map((kv) => this.#entry(kv)));
      const last = entries.at(-1);
      if (!more || last === undefined || entries.length >= limit) return { entries, revision: at, more };
      start = `${last.key}\0`;
    }
  }

  async commit(operations: readonly Operation[]): Promise<number> {
    const expected = operations.filter(({ expectedRevision }) => expectedRevision !== undefined);
    const { succeeded, header, responses } = await this.#asked(() => this.#client.kv.txn({
      compare: expected.map(({ key, expectedRevision = 0 }) => ({ key: this.#bytes(key), target: 'Mod', result: 'Equal', mod_revision: expectedRevision })),
      success: operations.map((operation) => ('put' in operation
        ? { request_put: { key: this.#bytes(operation.key), value: Buffer.from(operation.put) } }
        : { request_delete_range: { key: this.#bytes(operation.key) } })),
      failure: expected.map(({ key }) => ({ request_range: { key: this.#bytes(key), keys_only: true } })),
    }));
    if (succeeded) return Number(header.revision);
    const found = responses.map((response) => maybe(response.response_range)?.kvs[0]);
    const conflict = expected.find(({ expectedRevision }, index) => Number(found[index]?.mod_revision ?? 0) !== expectedRevision) ?? expected[0];
    throw new StoreError('Conflict', `${conflict?.key ?? ''}: changed meanwhile`, conflict === undefined ? {} : { key: conflict.key });
  }

  watch(prefix: string, fromRevision: number, handlers: WatchHandlers): WatchStream {
    let closed = false;
    let watcher: Watcher | undefined;
    const end = (error: StoreError): void => {
      if (closed) return;
      closed = true;
      handlers.onEnd(error);
    };
    const open = async (): Promise<void> => {
      // etcd3 reports a compacted start only as a bare cancellation: ask first.
      await this.#asked(() => this.#client.kv.range({ key: this.#bytes(prefix), revision: fromRevision, keys_only: true }));
      if (closed) return;
      watcher = this.#client.watch().inRange({ start: this.#bytes(prefix), end: this.#bytes(prefixEnd(prefix)) }).startRevision(String(fromRevision + 1)).withPreviousKV().watcher();
      watcher.on('data', (response) => { if (!closed) this.#deliver(response, handlers); });
      watcher.on('error', (error) => end(this.#error(error)));
    };
    open().catch((error: unknown) => end(this.#error(error)));
    return {
      close: () => {
        closed = true;
        watcher?.cancel().catch(() => undefined);
      },
    };
  }

  #deliver({ events }: IWatchResponse, handlers: WatchHandlers): void {
    const seen = events.map(({ type, kv, prev_kv: given }): StoreEvent => {
      const before = maybe(given);
      const revision = Number(kv.mod_revision);
      const previous = before?.value.toString();
      const key = kv.key.toString().slice(this.#root.length);
      if (type === 'Put') return { type: 'put', key, value: kv.value.toString(), revision, createRevision: Number(kv.create_revision), ...(previous !== undefined && { previous }) };
      return { type: 'delete', key, value: previous ?? '', revision, createRevision: Number(before?.create_revision ?? 0), ...(previous !== undefined && { previous }) };
    });
    if (seen.length > 0) handlers.onEvents(seen);
  }

  async compact(revision: number): Promise<void> {
    if (revision <= 0) return;
    try {
      await this.#client.kv.compact({ revision });
    } catch (error) {
      // Another API server was quicker.
      if (!(error instanceof GRPCOutOfRangeError)) throw this.#error(error);
    }
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.#error(error);
    }
  }

  #error(cause: unknown): StoreError {
    if (cause instanceof StoreError) return cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof GRPCOutOfRangeError && text.includes('compacted')) return new StoreError('Compacted', text, { cause });
    return new StoreError('Unavailable', `etcd: ${text}`, { cause });
  }
}
