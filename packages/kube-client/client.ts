// The API server as typed calls: one method per verb, on a resource descriptor. No state but the connection pool.
import type { IncomingMessage } from 'node:http';
import type { ClusterAccess } from './kubeconfig.ts';
import { isNotFound } from './errors.ts';
import { apiVersionOf, collectionPath, objectPath, withLists } from './resources.ts';
import type { ResourceDescriptor } from './resources.ts';
import { Transport } from './transport.ts';
import type { RawResponse, RequestOptions } from './transport.ts';
import type { DeleteOptions, KubeList, KubeObject, ObjectName } from './types.ts';
import { watchEvents } from './watch.ts';
import type { WatchEvent, WatchOptions } from './watch.ts';

export interface CallOptions { readonly signal?: AbortSignal }

export interface SelectOptions extends CallOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListOptions extends SelectOptions {
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  /** Objects per request; `list` and `pages` follow the continue token. Default 500; 0 asks for everything at once. */
  readonly pageSize?: number;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchOptions extends WriteOptions {
  readonly subresource?: string;
  /** Server-side apply only: take over fields that others own. */
  readonly force?: boolean;
}

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export interface ListResult<T> { readonly items: T[]; readonly resourceVersion: string }

export class KubeClient {
  readonly #transport: Transport;

  constructor(access: ClusterAccess, options: { readonly userAgent?: string } = {}) {
    this.#transport = new Transport(access, options.userAgent ?? 'podwire');
  }

  get access(): ClusterAccess { return this.#transport.access; }

  /** One request that an object of the resource answers. */
  async #object<T extends KubeObject>(resource: ResourceDescriptor<T>, path: string, request: RequestOptions): Promise<T> {
    return withLists(resource, (await this.#transport.json(path, request)) as T);
  }

  /** kubectl get RESOURCE NAME */
  async get<T extends KubeObject>(resource: ResourceDescriptor<T>, name: ObjectName, options: CallOptions & { readonly subresource?: string } = {}): Promise<T> {
    return this.#object(resource, objectPath(resource, name, options.subresource), signalOf(options));
  }

  /** kubectl get RESOURCE: the whole list, page by page. */
  async list<T extends KubeObject>(resource: ResourceDescriptor<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    const items: T[] = [];
    let resourceVersion = '';
    for await (const page of this.pages(resource, options)) {
      for (const item of page.items) items.push(item);
      resourceVersion = page.metadata?.resourceVersion ?? resourceVersion;
    }
    return { items, resourceVersion };
  }

  /** The list in pages of `pageSize`, for callers that must not hold it whole. A token that expires on the way throws (isGone): start anew. */
  async *pages<T extends KubeObject>(resource: ResourceDescriptor<T>, options: ListOptions = {}): AsyncGenerator<KubeList<T>> {
    let token: string | undefined;
    const pageSize = options.pageSize ?? 500;
    do {
      const first = token === undefined;
      const page = (await this.#transport.json(collectionPath(resource, options.namespace), {
        query: {
          labelSelector: options.labelSelector,
          fieldSelector: options.fieldSelector,
          limit: pageSize === 0 ? undefined : pageSize,
          continue: token,
          // A continued list may not name a version: the token carries it.
          resourceVersion: first ? options.resourceVersion : undefined,
          resourceVersionMatch: first ? options.resourceVersionMatch : undefined,
        },
        ...signalOf(options),
      })) as Omit<KubeList<T>, 'items'> & { items?: T[] | null };
      const items = page.items ?? [];
      for (const item of items) withLists(resource, item);
      yield { ...page, items };
      const next = page.metadata?.continue;
      token = next === '' ? undefined : next;
    } while (token !== undefined);
  }

  /** kubectl create. The namespace is the object's own. */
  async create<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const namespace = resource.namespaced ? (object.metadata?.namespace ?? 'default') : undefined;
    return this.#object(resource, collectionPath(resource, namespace), { method: 'POST', body: typed(resource, object), ...writeOf(options) });
  }

  /** POST to a subresource: `binding`, `eviction`, `token`, ... */
  async createSubresource(resource: ResourceDescriptor, name: ObjectName, subresource: string, body: unknown, options: WriteOptions = {}): Promise<unknown> {
    return this.#transport.json(objectPath(resource, name, subresource), { method: 'POST', body, ...writeOf(options) });
  }

  /** kubectl replace: fails with isConflict when metadata.resourceVersion is stale. */
  async update<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T, options: WriteOptions & { readonly subresource?: string } = {}): Promise<T> {
    return this.#object(resource, objectPath(resource, nameOf(object), options.subresource), { method: 'PUT', body: typed(resource, object), ...writeOf(options) });
  }

  /** kubectl replace --subresource=status */
  async updateStatus<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.update(resource, object, { ...options, subresource: 'status' });
  }

  /** kubectl patch --type=KIND */
  async patch<T extends KubeObject>(resource: ResourceDescriptor<T>, name: ObjectName, kind: PatchKind, patch: unknown, options: PatchOptions = {}): Promise<T> {
    const { query, ...rest } = writeOf(options);
    return this.#object(resource, objectPath(resource, name, options.subresource), {
      method: 'PATCH',
      contentType: PATCH_TYPES[kind],
      body: typeof patch === 'string' ? patch : JSON.stringify(patch),
      query: { ...query, force: kind === 'apply' ? options.force : undefined, fieldManager: options.fieldManager ?? (kind === 'apply' ? 'podwire' : undefined) },
      ...rest,
    });
  }

  /** kubectl delete. Resolves with what the server answers: the object (still terminating) or a Status. */
  async delete(resource: ResourceDescriptor, name: ObjectName, options: DeleteOptions & CallOptions = {}): Promise<KubeObject> {
    const { signal, ...body } = options;
    return (await this.#transport.json(objectPath(resource, name), {
      method: 'DELETE', body: { kind: 'DeleteOptions', apiVersion: 'v1', ...body }, ...(signal === undefined ? {} : { signal }),
    })) as KubeObject;
  }

  /** kubectl delete --ignore-not-found */
  async deleteIfThere(resource: ResourceDescriptor, name: ObjectName, options: DeleteOptions & CallOptions = {}): Promise<void> {
    try {
      await this.delete(resource, name, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** kubectl delete RESOURCE -l SELECTOR */
  async deleteCollection(resource: ResourceDescriptor, options: SelectOptions & { readonly deleteOptions?: DeleteOptions } = {}): Promise<void> {
    await this.#transport.json(collectionPath(resource, options.namespace), {
      method: 'DELETE',
      query: { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector },
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options.deleteOptions },
      ...signalOf(options),
    });
  }

  /**
   * kubectl get --watch: events from `resourceVersion` on. Ends when the server ends it; throws ApiError (isGone: list anew)
   * or ConnectionError. Leaving the loop, or aborting, closes the connection.
   */
  watch<T extends KubeObject>(resource: ResourceDescriptor<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>> {
    return watchEvents(this.#transport, resource, options);
  }

  /** kubectl get --raw PATH, any method, whatever the status. */
  async raw(path: string, options: RequestOptions = {}): Promise<RawResponse> { return this.#transport.raw(path, options); }

  /** Like `raw`, parsed; a refusal is thrown as ApiError. */
  async json(path: string, options: RequestOptions = {}): Promise<unknown> { return this.#transport.json(path, options); }

  /** The open response, for logs and other streams; a refusal is thrown as ApiError. */
  async stream(path: string, options: RequestOptions = {}): Promise<IncomingMessage> { return this.#transport.stream(path, options); }

  /** Closes every connection; running watches end with an error. */
  close(): void { this.#transport.close(); }
}

function nameOf(object: KubeObject): ObjectName {
  const { name, namespace } = object.metadata ?? {};
  if (name === undefined || name === '') throw new TypeError(`${object.kind ?? 'object'}: metadata.name is missing`);
  return { name, ...(namespace === undefined ? {} : { namespace }) };
}

function typed<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T): KubeObject {
  return object.kind !== undefined && object.apiVersion !== undefined ? object : { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function signalOf(options: CallOptions): { signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}

function writeOf(options: WriteOptions): { query: Record<string, string | undefined>; signal?: AbortSignal } {
  return {
    query: { fieldManager: options.fieldManager, fieldValidation: options.fieldValidation, dryRun: options.dryRun === true ? 'All' : undefined },
    ...signalOf(options),
  };
}
