// A tiny API server for tests: any kind, list with pages, watch, create, replace, delete, a history that can be compacted.
// It checks nothing and admits everything, which is what tests of hostile objects need. For real work use apiserver-lite.
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ClusterAccess } from './kubeconfig.ts';
import { collectionPath } from './resources.ts';
import type { ResourceDescriptor } from './resources.ts';
import type { KubeObject, Status } from './types.ts';
import { keyOf } from './types.ts';

interface Change { readonly version: number; readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
interface Collection { readonly objects: Map<string, KubeObject>; readonly changes: Change[]; readonly watchers: Set<(change: Change) => void> }
interface Target { readonly collection: Collection; readonly plural: string; readonly namespace?: string; readonly name?: string }

const PATH = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

export class FakeApi {
  readonly #server: http.Server;
  readonly #collections = new Map<string, Collection>();
  readonly #sockets = new Set<Socket>();
  #version = 1;
  /** Watches from before this version get 410. */
  #compacted = 0;
  /** Requests so far, as `METHOD /path?query`. */
  readonly requests: string[] = [];

  private constructor(server: http.Server) { this.#server = server; }

  /** Listens on 127.0.0.1, port chosen by the system. `await using` closes it. */
  static async start(port = 0): Promise<FakeApi> {
    const server = http.createServer();
    const api = new FakeApi(server);
    server.on('request', (request, response) => void api.#serve(request, response));
    server.on('connection', (socket) => {
      api.#sockets.add(socket);
      socket.once('close', () => api.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return api;
  }

  get port(): number { return (this.#server.address() as AddressInfo).port; }
  get access(): ClusterAccess { return { server: `http://127.0.0.1:${this.port}`, namespace: 'default' }; }

  /** Creates or replaces, as a controller would. */
  put<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T): T {
    const collection = this.#collection(resource);
    const type = collection.objects.has(keyOf(object)) ? 'MODIFIED' : 'ADDED';
    return this.#change(collection, type, object) as T;
  }

  remove(resource: ResourceDescriptor, key: string): void {
    const collection = this.#collection(resource);
    const old = collection.objects.get(key);
    if (old !== undefined) this.#change(collection, 'DELETED', old);
  }

  /** Forgets all history: watches that resume from an older version get 410 Expired. */
  compact(): void {
    this.#compacted = ++this.#version;
    for (const collection of this.#collections.values()) collection.changes.length = 0;
  }

  /** Cuts every connection, as a crash or a network fault would. */
  disconnect(): void { for (const socket of this.#sockets) socket.destroy(); }

  async close(): Promise<void> {
    this.disconnect();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  #collection(resource: ResourceDescriptor): Collection { return this.#byPath(collectionPath(resource)); }

  #byPath(path: string): Collection {
    const known = this.#collections.get(path) ?? { objects: new Map(), changes: [], watchers: new Set() };
    this.#collections.set(path, known);
    return known;
  }

  #change(collection: Collection, type: Change['type'], object: KubeObject): KubeObject {
    const version = ++this.#version;
    const key = keyOf(object);
    const uid = object.metadata?.uid ?? collection.objects.get(key)?.metadata?.uid ?? `uid-${version}`;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } };
    if (type === 'DELETED') collection.objects.delete(key);
    else collection.objects.set(key, stored);
    const change = { version, type, object: stored };
    collection.changes.push(change);
    for (const tell of collection.watchers) tell(change);
    return stored;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    this.requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const match = PATH.exec(url.pathname);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, group, version = '', namespace, plural = '', name] = match ?? [];
    if (match === null) { refuse(response, 404, 'NotFound', `no such path ${url.pathname}`); return; }
    const collection = this.#byPath(group === undefined ? `/api/${version}/${plural}` : `/apis/${group}/${version}/${plural}`);
    const target: Target = { collection, plural, ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) };
    const body = chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString('utf8')) as KubeObject);
    if (request.method !== 'GET') { this.#write(request.method ?? '', target, body, response); return; }
    if (name !== undefined) { this.#get(target, response); return; }
    if (url.searchParams.get('watch') === 'true') this.#watch(target, url, response);
    else this.#list(target, url, response);
  }

  #get(target: Target, response: ServerResponse): void {
    const object = target.collection.objects.get(keyIn(target));
    if (object === undefined) { refuse(response, 404, 'NotFound', `${target.plural} "${target.name ?? ''}" not found`); return; }
    answer(response, 200, object);
  }

  #write(method: string, target: Target, body: KubeObject, response: ServerResponse): void {
    const { collection, namespace } = target;
    const named = { ...body, metadata: { ...body.metadata, ...(namespace === undefined ? {} : { namespace }) } };
    if (method === 'POST') {
      if (collection.objects.has(keyOf(named))) { refuse(response, 409, 'AlreadyExists', `${keyOf(named)} exists`); return; }
      answer(response, 201, this.#change(collection, 'ADDED', named)); return;
    }
    const old = collection.objects.get(keyIn(target));
    if (old === undefined) { refuse(response, 404, 'NotFound', `${target.plural} "${target.name ?? ''}" not found`); return; }
    if (method === 'DELETE') { answer(response, 200, this.#change(collection, 'DELETED', old)); return; }
    if (method === 'PATCH') { answer(response, 200, this.#change(collection, 'MODIFIED', merge(old, body) as KubeObject)); return; }
    const version = named.metadata.resourceVersion;
    if (version !== undefined && version !== old.metadata?.resourceVersion) { refuse(response, 409, 'Conflict', 'the object has been modified'); return; }
    answer(response, 200, this.#change(collection, 'MODIFIED', named));
  }

  #list(target: Target, url: URL, response: ServerResponse): void {
    const items = [...target.collection.objects.values()].filter((object) => inScope(target, url, object));
    const limit = Number(url.searchParams.get('limit') ?? 0);
    const [start = 0, version = this.#version] = (url.searchParams.get('continue') ?? '').split(',').filter((part) => part !== '').map(Number);
    const end = limit > 0 && start + limit < items.length ? start + limit : items.length;
    answer(response, 200, {
      kind: 'List', apiVersion: 'v1', items: items.slice(start, end),
      metadata: { resourceVersion: String(version), ...(end < items.length ? { continue: `${end},${version}` } : {}) },
    });
  }

  #watch(target: Target, url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get('resourceVersion') ?? 0);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#compacted) {
      const status: Status = { code: 410, reason: 'Expired', message: `too old resource version: ${from}` };
      response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      return;
    }
    const tell = (change: Change): void => {
      if (inScope(target, url, change.object)) response.write(`${JSON.stringify({ type: change.type, object: change.object })}\n`);
    };
    for (const change of target.collection.changes) if (change.version > from) tell(change);
    target.collection.watchers.add(tell);
    response.once('close', () => target.collection.watchers.delete(tell));
  }
}

function keyIn(target: Target): string { return target.namespace === undefined ? (target.name ?? '') : `${target.namespace}/${target.name ?? ''}`; }

function inScope(target: Target, url: URL, object: KubeObject): boolean {
  if (target.namespace !== undefined && object.metadata?.namespace !== target.namespace) return false;
  const byName = /^metadata\.name=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1];
  return byName === undefined || object.metadata?.name === byName;
}

function merge(into: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = typeof into === 'object' && into !== null && !Array.isArray(into) ? { ...(into as Record<string, unknown>) } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else result[name] = merge(result[name], value);
  }
  return result;
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: number, reason: string, message: string): void {
  answer(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message });
}
