// One watch request as an async sequence of events. JSON objects arrive one per line.
import { ApiError, ConnectionError } from './errors.ts';
import { collectionPath, withLists } from './resources.ts';
import type { ResourceDescriptor } from './resources.ts';
import type { Transport } from './transport.ts';
import type { KubeObject, Status } from './types.ts';

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version. Absent: the server first sends what exists, as ADDED. */
  readonly resourceVersion?: string;
  /** Default true. */
  readonly allowWatchBookmarks?: boolean;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export async function* watchEvents<T extends KubeObject>(transport: Transport, resource: ResourceDescriptor<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
  const path = collectionPath(resource, options.namespace);
  const response = await transport.stream(path, {
    query: {
      watch: 'true',
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      resourceVersion: options.resourceVersion,
      allowWatchBookmarks: options.allowWatchBookmarks ?? true,
      timeoutSeconds: options.timeoutSeconds,
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  // A server that vanishes without a word is noticed by TCP itself.
  response.socket.setKeepAlive(true, 15_000);
  response.socket.setNoDelay(true);
  try {
    for await (const line of lines(response)) {
      const event = JSON.parse(line) as { type: string; object: unknown };
      if (event.type === 'ERROR') {
        const status = event.object as Status;
        throw new ApiError(`WATCH ${path}`, status.code ?? 500, status);
      }
      withLists(resource, event.object);
      yield event as WatchEvent<T>;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ApiError) throw error;
    throw new ConnectionError(`WATCH ${path}`, transport.access.server, error instanceof Error ? error : new Error(String(error)));
  } finally {
    response.destroy();
  }
}

/** Splits a byte stream at newlines. Bytes are joined before decoding, so a character cut by a chunk boundary survives. */
export async function* lines(source: AsyncIterable<unknown>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const piece of source) {
    let chunk = piece as Buffer;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10)) {
      const line = rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...rest, chunk.subarray(0, end)]);
      rest = [];
      chunk = chunk.subarray(end + 1);
      if (line.length > 0) yield line.toString('utf8');
    }
    if (chunk.length > 0) rest.push(chunk);
  }
}
