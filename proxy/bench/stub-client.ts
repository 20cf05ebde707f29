// An API server without a network: objects that are parsed already, and a watch that a benchmark feeds.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EndpointSlice, KubeClient, KubeObject, Node, ResourceDescriptor, Service, WatchEvent, WatchOptions } from '@podwire/kube-client';

export type StubClient = Pick<KubeClient, 'pages' | 'watch'> & { push(kind: string, event: WatchEvent<KubeObject>): void };
/** Makes the object number `n` of its kind. */
export interface Making { readonly count: number; readonly make: (n: number) => KubeObject }

export function stubClient(objects: Readonly<Record<string, Making>>): StubClient {
  const waiting = new Map<string, (event: WatchEvent<KubeObject>) => void>();
  const queues = new Map<string, WatchEvent<KubeObject>[]>();
  const next = (kind: string): Promise<WatchEvent<KubeObject>> => {
    const queued = queues.get(kind)?.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    return new Promise((resolve) => waiting.set(kind, resolve));
  };
  const client: StubClient = {
    async *pages<T extends KubeObject>(resource: ResourceDescriptor<T>) {
      const { count, make } = objects[resource.plural] ?? { count: 0, make: () => ({}) };
      for (let at = 0; at === 0 || at < count; at += 500) {
        // A page comes over the network: never in the turn in which the last one was read.
        await nextTurn();
        const items = range(Math.min(500, count - at), at).map(make) as T[];
        yield { items, metadata: { resourceVersion: '1' } };
      }
    },
    async *watch<T extends KubeObject>(resource: ResourceDescriptor<T>, options: WatchOptions = {}) {
      const { promise, reject } = Promise.withResolvers<never>();
      options.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), { once: true });
      for (;;) yield (await Promise.race([next(resource.plural), promise])) as WatchEvent<T>;
    },
    push(kind, event) {
      const resolve = waiting.get(kind);
      if (resolve !== undefined) {
        waiting.delete(kind);
        resolve(event);
      } else queues.set(kind, [...(queues.get(kind) ?? []), event]);
    },
  };
  return client;
}

let version = 2;
export function fresh<T extends KubeObject>(object: T): T { return { ...object, metadata: { ...object.metadata, resourceVersion: String(version++) } }; }

export const serviceAddress = (n: number): string => `10.${96 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
export const endpointAddress = (n: number, k: number): string => `10.${128 + (k % 64)}.${n >> 8}.${n & 255}`;

export function benchService(n: number): Service {
  return fresh({ metadata: { name: `svc-${n}`, namespace: 'bench', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: { type: 'ClusterIP', clusterIP: serviceAddress(n), clusterIPs: [serviceAddress(n)], ports: [{ name: 'http', protocol: 'TCP', port: 80 }] } });
}

/** `keys`: which addresses; equal keys are equal endpoints. */
export function benchSlice(n: number, keys: readonly number[]): EndpointSlice {
  return fresh({
    metadata: { name: `svc-${n}-x`, namespace: 'bench', labels: { 'kubernetes.io/service-name': `svc-${n}` } }, addressType: 'IPv4', ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: keys.map((key) => ({ addresses: [endpointAddress(n, key)], conditions: { ready: true, serving: true, terminating: false }, nodeName: `node-${key % 50}` })),
  });
}

export const benchNode: Node = { metadata: { name: 'node-0' }, status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } };
export const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index);
