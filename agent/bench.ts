// npm run bench -- agent: how long a pod takes, beside the engine's own time for the same containers; what an idle agent costs.
// It brings up a lab of one node of its own, through the launcher, and takes it down.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Informer, KubeClient, loadKubeconfig, resources } from '@podwire/kube-client';
import type { Pod } from '@podwire/kube-client';
import { Dockerode } from './runtime/dockerode.ts';

interface Result { readonly name: string; readonly value: number; readonly unit: string; readonly floor?: number; readonly ratio?: number; readonly target: string; readonly ok: boolean }

const image = 'podwire/busybox:1';
const pauseImage = 'podwire/pause:1';
const launcher = path.join(import.meta.dirname, '..', 'podwire');
const many = 30;
const rounds = 7;

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

const isReady = (pod: Pod): boolean => pod.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;

class Pods {
  readonly #client: KubeClient;
  readonly #informer: Informer<Pod>;

  constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#informer = new Informer({ client, resource: resources.pods, namespace: 'default' }).start(signal);
  }

  async #until(what: string, look: () => boolean): Promise<void> {
    const deadline = Date.now() + 180_000;
    while (!look()) {
      if (Date.now() > deadline) throw new Error(`not in 180 s: ${what}`);
      await sleep(5);
    }
  }

  /** Milliseconds from the first create to the last Ready; the pods are gone again when it returns. */
  async measure(count: number): Promise<number> {
    const names = Array.from({ length: count }, (_, index) => `bench-${index}`);
    const started = performance.now();
    await Promise.all(names.map((name) => this.#client.create(resources.pods, {
      metadata: { name, namespace: 'default' }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image, command: ['sleep', '100000'] }] },
    })));
    await this.#until('all Ready', () => names.every((name) => { const pod = this.#informer.store.byKey(`default/${name}`); return pod !== undefined && isReady(pod); }));
    const took = performance.now() - started;
    await Promise.all(names.map((name) => this.#client.delete(resources.pods, { namespace: 'default', name }, { gracePeriodSeconds: 1 })));
    await this.#until('all gone', () => names.every((name) => this.#informer.store.byKey(`default/${name}`) === undefined));
    return took;
  }
}

/** The engine alone: for each pod a pause container and one that joins it. */
async function bareContainers(docker: InstanceType<typeof Dockerode>, count: number): Promise<number> {
  const made: string[] = [];
  const one = async (body: object): Promise<string> => {
    const container = await docker.createContainer(body);
    made.push(container.id);
    await container.start();
    return container.id;
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: count }, async () => {
    const pause = await one({ Image: pauseImage, HostConfig: { NetworkMode: 'none', IpcMode: 'shareable' } });
    await one({ Image: image, Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: `container:${pause}`, IpcMode: `container:${pause}` } });
  }));
  const took = performance.now() - started;
  await Promise.all(made.map((id) => docker.getContainer(id).remove({ force: true })));
  return took;
}

function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function agentPid(stateDir: string): Promise<number> {
  const { stdout } = await promisify(execFile)('/usr/bin/pgrep', ['-f', `agent/main.ts .*${stateDir}/`]);
  return Number(stdout.trim().split('\n')[0]);
}

function podwire(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(launcher, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`podwire ${args[0] ?? ''}: exit ${code ?? 'by signal'}`))));
  });
}

export async function run(): Promise<{ readonly bench: string; readonly results: readonly Result[] }> {
  if (process.getuid?.() !== 0) throw new Error('it brings up a lab, which needs root; run it with sudo');
  const folder = mkdtempSync(path.join(tmpdir(), 'podwire-bench-'));
  const stateDir = path.join(folder, 'lab');
  const stop = new AbortController();
  try {
    await podwire('up', '--nodes', '1', '--state-dir', stateDir);
    const host = (JSON.parse(readFileSync(path.join(stateDir, 'lab.json'), 'utf8')) as { engine: { host: string } }).engine.host;
    const docker = new Dockerode({ socketPath: host.replace(/^unix:\/\//u, '') });
    const client = new KubeClient(loadKubeconfig(path.join(stateDir, 'kubeconfig')));
    const pods = new Pods(client, stop.signal);
    await pods.measure(1);
    const single: number[] = [];
    const bareSingle: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      single.push(await pods.measure(1));
      bareSingle.push(await bareContainers(docker, 1));
    }
    const manyTook = await pods.measure(many);
    const bareMany = await bareContainers(docker, many);
    const pid = await agentPid(stateDir);
    await sleep(5000);
    const before = ticks(pid);
    await sleep(20_000);
    const cpu = (ticks(pid) - before) / 20;
    const pss = Number(/^Pss:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
    stop.abort();
    client.close();
    const one = median(single);
    const ratio = manyTook / bareMany;
    return {
      bench: 'agent',
      results: [
        { name: 'one pod, create to Ready', value: one, unit: 'ms', floor: median(bareSingle), ratio: one / median(bareSingle), target: '<= 1000 ms', ok: one <= 1000 },
        { name: `${many} pods, create to Ready`, value: manyTook, unit: 'ms', floor: bareMany, ratio, target: '<= 1.5 x the engine', ok: ratio <= 1.5 },
        { name: 'idle agent, memory (PSS)', value: pss, unit: 'MiB', target: '<= 90 MiB', ok: pss <= 90 },
        { name: 'idle agent, CPU', value: cpu, unit: '% of a core', target: '< 1 %', ok: cpu < 1 },
      ],
    };
  } finally {
    stop.abort();
    await podwire('down', '--state-dir', stateDir).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    rmSync(folder, { recursive: true, force: true });
  }
}
