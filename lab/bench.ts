// `npm run bench -- lab`: how long a person waits. Brings up a lab of three nodes with its demo on an engine that runs already and has the
// images, beside the same number of bare containers started on the same engine.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { dockerClient } from './engine/client.ts';
import { privateHost } from './engine/private-engine.ts';
import { pause } from './images/small.ts';
import { tryRun } from './processes/run.ts';
import { labNames } from './state/names.ts';
import { adminClient } from './cluster/client.ts';
import { applyDemo, waitDemo } from './demo.ts';

export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly ratio?: number;
  readonly target: string;
  readonly ok: boolean;
}

const launcher = fileURLToPath(new URL('../podwire', import.meta.url));

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function podwire(args: readonly string[]): Promise<void> {
  const { code, stderr } = await tryRun([launcher, ...args]);
  if (code !== 0) throw new Error(`podwire ${args.join(' ')}: exit ${code}: ${stderr}`);
}

/** What the lab and its demo come to in containers, without any of their work: three nodes, then three pods of two. */
async function bareContainers(docker: Docker): Promise<void> {
  const made: Docker.Container[] = [];
  const start = async (network: string, image: string): Promise<Docker.Container> => {
    const container = await docker.createContainer({ Image: image, HostConfig: { NetworkMode: network, IpcMode: 'shareable' } });
    made.push(container);
    await container.start();
    return container;
  };
  try {
    await Promise.all([1, 2, 3].map(() => start('none', pause.name)));
    await Promise.all([1, 2, 3].map(async () => {
      const sandbox = await start('none', pause.name);
      await start(`container:${sandbox.id}`, 'podwire/nginx:1.22');
    }));
  } finally {
    await Promise.all(made.map((container) => container.remove({ force: true })));
  }
}

export async function run(): Promise<{ readonly bench: string; readonly results: readonly BenchResult[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
  const engineLab = join(folder, 'engine');
  const lab = join(folder, 'lab');
  try {
    await podwire(['up', '--state-dir', engineLab, '--nodes', '1', '--docker-host', 'private']);
    const host = privateHost(labNames(engineLab));
    const floor = await seconds(() => bareContainers(dockerClient(host)));
    const nodes = await seconds(() => podwire(['up', '--state-dir', lab, '--docker-host', host]));
    const pods = await seconds(async () => {
      const client = adminClient(labNames(lab));
      await applyDemo(client);
      await waitDemo(client);
      client.close();
    });
    const again = await seconds(() => podwire(['up', '--state-dir', lab]));
    const gone = await seconds(() => podwire(['down', '--state-dir', lab]));
    const total = nodes + pods;
    return {
      bench: 'lab',
      results: [
        { name: 'up: three Ready nodes and the demo', value: total, unit: 's', floor, ratio: total / floor, target: '<= 10 s', ok: total <= 10 },
        { name: 'of it: three Ready nodes', value: nodes, unit: 's', target: '', ok: true },
        { name: 'second up', value: again, unit: 's', target: '<= 2 s', ok: again <= 2 },
        { name: 'down', value: gone, unit: 's', target: '<= 5 s', ok: gone <= 5 },
      ],
    };
  } finally {
    for (const stateDir of [lab, engineLab]) await tryRun([launcher, 'down', '--state-dir', stateDir]);
    rmSync(folder, { recursive: true, force: true });
  }
}
