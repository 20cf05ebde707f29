// What a test of the proxy needs of an API server, whichever it is: objects are put and removed without waiting, as controllers do
// it; `settled` says that the server has them all. The fake admits everything; a real one checks what it is given.
import { FakeApi, KubeClient, keyOf, resources } from '@podwire/kube-client';
import type { ClusterAccess, KubeObject, ResourceDescriptor } from '@podwire/kube-client';

export interface ClusterApi extends AsyncDisposable {
  /** As the user that the proxy is. */
  readonly access: ClusterAccess;
  /** It refuses objects that are not valid, and sets creation times itself. */
  readonly validates: boolean;
  /** Creates or replaces, status included. */
  put<T extends KubeObject>(resource: ResourceDescriptor<T>, object: T): void;
  /** `key`: NAMESPACE/NAME. */
  remove(resource: ResourceDescriptor, key: string): void;
  /** Everything put so far is in the server. Throws what it refused. */
  settled(): Promise<void>;
  /** Cuts every connection, as a crash would. */
  disconnect(): void;
  /** Forgets the history: a watch from before gets 410. */
  compact(): void;
}

export async function fakeClusterApi(): Promise<ClusterApi> {
  const fake = await FakeApi.start();
  return {
    access: fake.access,
    validates: false,
    put: (resource, object) => void fake.put(resource, object),
    remove: (resource, key) => fake.remove(resource, key),
    settled: () => Promise.resolve(),
    disconnect: () => fake.disconnect(),
    compact: () => fake.compact(),
    [Symbol.asyncDispose]: () => fake.close(),
  };
}

/** How a real server is taken down and up again; both resolve when it serves. */
export interface RemoteServer extends AsyncDisposable {
  readonly admin: ClusterAccess;
  readonly proxy: ClusterAccess;
  restart(): Promise<void>;
  compact(): Promise<void>;
}

/** Over HTTP, one write after another in the order of the calls. */
export async function remoteClusterApi(server: RemoteServer): Promise<ClusterApi> {
  const connect = (): KubeClient => new KubeClient(server.admin, { userAgent: 'test' });
  let client = connect();
  // The namespace of the harness's markers; `default` is there.
  await client.create(resources.namespaces, { metadata: { name: 'zz' } });
  let queue: Promise<unknown> = Promise.resolve();
  /** What has been created: a PUT that creates goes other ways in a real server. */
  const there = new Set<string>();
  const then = (step: () => Promise<unknown>): void => {
    queue = queue.then(step);
    queue.catch(() => undefined); // thrown by `settled`
  };
  return {
    access: server.proxy,
    validates: true,
    put: (resource, object) => then(async () => {
      const id = `${resource.plural} ${keyOf(object)}`;
      await write(client, resource, object, there.has(id));
      there.add(id);
    }),
    remove: (resource, key) => then(async () => {
      there.delete(`${resource.plural} ${key}`);
      const [namespace = '', name = ''] = key.split('/');
      await client.deleteIfThere(resource, { namespace, name });
    }),
    async settled() { await queue; },
    disconnect: () => then(async () => {
      await server.restart();
      // A write is never sent again by itself: it must not meet a connection of the server that was.
      client.close();
      client = connect();
    }),
    compact: () => then(() => server.compact()),
    async [Symbol.asyncDispose]() {
      await queue.catch(() => undefined);
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function write<T extends KubeObject>(client: KubeClient, resource: ResourceDescriptor<T>, object: T, isThere: boolean): Promise<void> {
  const { creationTimestamp: _, ...metadata } = object.metadata ?? {}; // the server's to set
  const wanted = { ...object, metadata };
  await (isThere ? client.update(resource, wanted) : client.create(resource, wanted));
  if ('status' in object) await client.updateStatus(resource, wanted);
}

/** A kubeconfig for a program that is to use this access. */
export function kubeconfigText({ server, ca, cert, key, token }: ClusterAccess): string {
  const base64 = (name: string, text: string | undefined): Record<string, string> => (text === undefined ? {} : { [name]: Buffer.from(text).toString('base64') });
  return JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server, ...base64('certificate-authority-data', ca) } }],
    users: [{ name: 'u', user: { ...base64('client-certificate-data', cert), ...base64('client-key-data', key), ...(token === undefined ? {} : { token }) } }],
  });
}
