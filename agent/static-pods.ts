// Pods that this node runs by itself, from manifests in a folder, with or without an API server. Each has a mirror in the API, which
// shows its status and stands for nothing: deleting the mirror brings it back.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlreadyExists, isNotFound, resources } from '@podwire/kube-client';
import type { KubeClient, Pod } from '@podwire/kube-client';
import type { Logger } from 'pino';
import { parseAllDocuments } from 'yaml';

const everyMs = 2000;
const source = 'kubernetes.io/config.source';
const hash = 'kubernetes.io/config.hash';
const mirror = 'kubernetes.io/config.mirror';

export const isMirror = (pod: Pod): boolean => pod.metadata?.annotations?.[mirror] !== undefined;
export const isStatic = (pod: Pod): boolean => pod.metadata?.annotations?.[source] === 'file';

/** The pods of one manifest. Throws a TypeError that says what is wrong with it. Pure. */
export function parseManifest(text: string, file: string, nodeName: string): Pod[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new TypeError(`${file}: ${problem.message}`);
    const pod = document.toJS() as Pod | null;
    if (pod === null) return [];
    if (pod.kind !== 'Pod') throw new TypeError(`${file}: kind is "${String(pod.kind)}"; only Pods can be static`);
    if (pod.metadata?.name === undefined || (pod.spec?.containers ?? []).length === 0) throw new TypeError(`${file}: a Pod needs metadata.name and at least one container`);
    const uid = createHash('sha256').update(JSON.stringify([nodeName, file, pod])).digest('hex').slice(0, 32);
    const spec = { containers: [], ...pod.spec };
    return [{
      ...pod, apiVersion: 'v1',
      metadata: { ...pod.metadata, name: `${pod.metadata.name}-${nodeName}`, namespace: pod.metadata.namespace ?? 'default', uid, annotations: { ...pod.metadata.annotations, [source]: 'file', [hash]: uid } },
      spec: { ...spec, nodeName, restartPolicy: pod.spec?.restartPolicy ?? 'Always', terminationGracePeriodSeconds: pod.spec?.terminationGracePeriodSeconds ?? 30 },
    }];
  });
}

/** What the API shows of a static pod. Pure. */
export function mirrorOf(pod: Pod): Pod {
  const { uid, ...metadata } = pod.metadata ?? {};
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations: { ...metadata.annotations, [mirror]: uid ?? '' } }, ...(pod.spec === undefined ? {} : { spec: pod.spec }) };
}

export interface StaticPodsOptions {
  readonly folder: string;
  readonly nodeName: string;
  readonly client: KubeClient;
  /** Runs a pod, or (with a deletionTimestamp) ends it. */
  readonly set: (pod: Pod) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #running = new Map<string, Pod>();
  readonly #told = new Set<string>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** Follows the folder until the signal aborts. */
  async follow(): Promise<void> {
    const { signal, log } = this.#options;
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) => log.warn({ err: error }, 'static pods: the folder cannot be read; it is tried again'));
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The API shows a mirror: its status is what was last written for the static pod. */
  mirrored(seen: Pod): void {
    const pod = this.#running.get(seen.metadata?.annotations?.[mirror] ?? '');
    if (pod !== undefined && seen.status !== undefined) this.#options.set({ ...pod, status: seen.status });
  }

  async #look(): Promise<void> {
    const { set } = this.#options;
    const wanted = await this.#read();
    for (const [uid, pod] of this.#running) {
      if (wanted.has(uid)) continue;
      this.#running.delete(uid);
      const grace = pod.spec?.terminationGracePeriodSeconds ?? 30;
      set({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date(Date.now() + grace * 1000).toISOString(), deletionGracePeriodSeconds: grace } });
    }
    for (const [uid, pod] of wanted) {
      if (!this.#running.has(uid)) {
        this.#running.set(uid, pod);
        set(pod);
      }
      await this.#ensureMirror(pod);
    }
  }

  async #read(): Promise<Map<string, Pod>> {
    const { folder, nodeName, log } = this.#options;
    const pods = new Map<string, Pod>();
    const names = (await readdir(folder)).filter((name) => /\.(ya?ml|json)$/u.test(name) && !name.startsWith('.')).sort();
    for (const name of names) {
      const file = path.join(folder, name);
      try {
        for (const pod of parseManifest(await readFile(file, 'utf8'), file, nodeName)) pods.set(pod.metadata?.uid ?? '', pod);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (!this.#told.has(text)) log.error(`static pods: ${text}; mend or remove it`);
        this.#told.add(text);
      }
    }
    return pods;
  }

  /** Creates the mirror; replaces one of an older manifest or one that somebody deletes. An API server that is away changes nothing here. */
  async #ensureMirror(pod: Pod): Promise<void> {
    const { client, log } = this.#options;
    const name = { namespace: pod.metadata?.namespace ?? 'default', name: pod.metadata?.name ?? '' };
    try {
      const current = await client.get(resources.pods, name).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      });
      if (current?.metadata?.annotations?.[mirror] === pod.metadata?.uid && current?.metadata?.deletionTimestamp === undefined) return;
      if (current !== undefined) await client.delete(resources.pods, name, { gracePeriodSeconds: 0 });
      await client.create(resources.pods, mirrorOf(pod));
    } catch (error) {
      if (!isAlreadyExists(error)) log.debug({ err: error }, 'mirror not written; tried again');
    }
  }
}
