// A Node list in memory that answers like the API server as far as the overlay asks: list, watch, and its two patches. For tests.
import { EventEmitter, on } from 'node:events';
import type { KubeClient, KubeList, KubeObject, Node, WatchEvent } from '@podwire/kube-client';

type Overlayed = Pick<KubeClient, 'pages' | 'watch' | 'patch'>;

export class NodeList implements Overlayed {
  readonly #nodes = new Map<string, Node>();
  readonly #events = new EventEmitter().setMaxListeners(0);
  #version = 1;

  node(name: string): Node | undefined { return this.#nodes.get(name); }

  put(node: Node): void {
    const name = node.metadata?.name ?? '';
    this.#version += 1;
    const stored = { ...node, metadata: { ...node.metadata, resourceVersion: String(this.#version) } };
    const type = this.#nodes.has(name) ? 'MODIFIED' : 'ADDED';
    this.#nodes.set(name, stored);
    this.#events.emit('event', { type, object: stored });
  }

  change(name: string, change: (node: Node) => Node): void {
    const node = this.#nodes.get(name);
    if (node !== undefined) this.put(change(node));
  }

  remove(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#nodes.delete(name);
    this.#version += 1;
    this.#events.emit('event', { type: 'DELETED', object: { ...node, metadata: { ...node.metadata, resourceVersion: String(this.#version) } } });
  }

  // The real client's methods are generators too; the list is there at once.
  // eslint-disable-next-line @typescript-eslint/require-await
  async *pages<T extends KubeObject>(): AsyncGenerator<KubeList<T>> {
    yield { metadata: { resourceVersion: String(this.#version) }, items: [...this.#nodes.values()] as KubeObject[] as T[] };
  }

  async *watch<T extends KubeObject>(_resource: unknown, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<WatchEvent<T>> {
    for await (const [event] of on(this.#events, 'event', options.signal === undefined ? {} : { signal: options.signal }) as AsyncIterable<[WatchEvent<T>]>) yield event;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async patch<T extends KubeObject>(_resource: unknown, { name }: { readonly name: string }, kind: string, patch: unknown): Promise<T> {
    const { metadata, status } = patch as { metadata?: { annotations: Record<string, string | null> }; status?: { conditions: { type: string; status: string; reason: string }[] } };
    this.change(name, (node) => {
      if (kind === 'merge' && metadata !== undefined) {
        const annotations = Object.fromEntries(Object.entries({ ...node.metadata?.annotations, ...metadata.annotations }).filter((pair): pair is [string, string] => pair[1] !== null));
        return { ...node, metadata: { ...node.metadata, annotations } };
      }
      return { ...node, status: { ...node.status, conditions: [...(node.status?.conditions ?? []).filter(({ type }) => !status?.conditions.some((other) => other.type === type)), ...(status?.conditions ?? [])] } };
    });
    return this.#nodes.get(name) as KubeObject as T;
  }
}
