// A pod worker with everything around it faked but the folder: what it asks of the engine and of the API is there to be looked at.
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConfigMap, Pod, Secret } from '@podwire/kube-client';
import { pino } from 'pino';
import type { PodDeps } from '../pods/deps.ts';
import { ImagePuller } from '../pods/images.ts';
import { Volumes } from '../pods/volumes.ts';
import { PodWorker } from '../pods/worker.ts';
import { FakeRuntime } from './fake-runtime.ts';

export class WorkerBench implements AsyncDisposable {
  readonly runtime = new FakeRuntime();
  readonly statuses: Readonly<Record<string, unknown>>[] = [];
  readonly events: string[] = [];
  readonly deleted: string[] = [];
  readonly attached: string[] = [];
  readonly detached: string[] = [];
  readonly configMaps = new Map<string, ConfigMap>();
  readonly secrets = new Map<string, Secret>();
  readonly root: string;
  readonly deps: PodDeps;
  #worker: PodWorker | undefined;
  #stop = new AbortController();

  private constructor(root: string) {
    this.root = root;
    this.runtime.present.add('pause:1').add('app:1');
    this.deps = {
      runtime: this.runtime,
      api: {
        patchStatus: async (pod, status) => {
          this.statuses.push(status);
          // The API shows what was written, as the watch would tell.
          if (this.#worker !== undefined && this.#worker.pod.metadata?.uid === pod.metadata?.uid) this.#worker.update({ ...this.#worker.pod, status: { ...this.#worker.pod.status, ...status } });
          return Promise.resolve();
        },
        deleteFinal: async (pod) => { this.deleted.push(pod.metadata?.name ?? ''); return Promise.resolve(); },
        leaveEndpoints: async () => { this.runtime.calls.push('endpoints left'); return Promise.resolve(); },
        record: (_pod, _type, reason, message) => this.events.push(`${reason}: ${message}`),
      },
      objects: {
        configMaps: async (_namespace, names) => Promise.resolve(new Map([...this.configMaps].filter(([name]) => names.has(name)))),
        secrets: async (_namespace, names) => Promise.resolve(new Map([...this.secrets].filter(([name]) => names.has(name)))),
        services: async () => Promise.resolve([]),
        token: async () => Promise.resolve('token'),
        release: () => undefined,
      },
      network: {
        ready: true,
        attach: async (_pod, sandbox) => { this.attached.push(sandbox.id); return Promise.resolve(['10.244.1.5']); },
        detach: async (id) => { this.detached.push(id); return Promise.resolve(); },
        connect: () => new net.Socket(),
      },
      volumes: new Volumes(root),
      images: new ImagePuller(this.runtime),
      settings: { clusterId: 'test', nodeName: 'node1', pauseImage: 'pause:1', nodeContainer: undefined, machineMemoryBytes: 2 ** 30, lowestOomScoreAdj: 0 },
      dns: () => ({ node: { nameservers: ['192.0.2.53'], searches: [], options: [] }, clusterDns: [], clusterDomain: 'cluster.local' }),
      hostIPs: ['10.0.0.1'],
      allocatable: { cpu: 2, memory: 2 ** 30 },
      clock: { now: () => Date.now() },
      log: pino({ level: 'silent' }),
    };
  }

  static async create(): Promise<WorkerBench> {
    return new WorkerBench(await mkdtemp(path.join(tmpdir(), 'podwire-agent-')));
  }

  /** A new worker, as after a start of the agent. The engine's events wake it. */
  work(pod: Pod, orphan = false): PodWorker {
    const worker = new PodWorker(this.deps, pod, orphan, () => undefined);
    this.#worker = worker;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    void (async () => {
      for await (const event of this.runtime.events({}, signal)) if (event.podUid === pod.metadata?.uid) worker.wake();
    })().catch(() => undefined);
    return worker;
  }

  /** The agent dies: nothing is cleared away. */
  async die(): Promise<void> {
    this.#stop.abort();
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  get status(): Readonly<Record<string, unknown>> {
    return this.statuses.at(-1) ?? {};
  }

  /** Calls that make or start something. */
  get made(): string[] {
    return this.runtime.calls.filter((call) => call.startsWith('create ') || call.startsWith('start '));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die();
    await rm(this.root, { recursive: true, force: true });
  }
}
