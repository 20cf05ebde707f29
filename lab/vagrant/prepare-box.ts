// Runs inside the box while it is made and does there, once and by a real processor, what would take each emulated machine minutes: loads
// all images into the Docker engine, and compiles the programs. Exit codes: 0 done, 2 not.
import { agentMain, agentNodeFlags } from '@podwire/agent';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, dockerClient } from '../engine/client.ts';
import { errorText, LabError } from '../errors.ts';
import { ensureImage, nodeImages, podImages } from '../images/index.ts';
import { cacheDir } from '../images/cache.ts';
import { tryRun } from '../processes/run.ts';
import { compileCache } from './layout.ts';
import { apiserverMain } from './machine-files.ts';

const host = 'unix:///run/docker.sock';
const startTimeoutMs = 120_000;

async function withEngine(work: () => Promise<void>): Promise<void> {
  const child = spawn('/usr/sbin/dockerd', ['--log-level=warn', '-H', host], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const deadline = performance.now() + startTimeoutMs;
    while (!(await answers(host))) {
      if (child.exitCode !== null || performance.now() > deadline) throw new LabError('EFAILED', "the box's Docker engine does not start; see above");
      await delay(200);
    }
    await work();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/**
 * Each program of a machine, started with a use that only makes it read all its modules: Node writes what it compiled into the cache when it
 * ends. It is good for the same Node, flags and processor features; elsewhere Node makes its own.
 */
async function compile(): Promise<void> {
  const here = (name: string): string => `${import.meta.dirname}/${name}`;
  for (const argv of [[apiserverMain, '--help'], [...agentNodeFlags, agentMain, '--help'], [here('join-server.ts')], [here('provision-node.ts')]]) {
    await tryRun([process.execPath, ...argv], { env: { NODE_COMPILE_CACHE: compileCache } });
  }
}

try {
  await compile();
  await withEngine(async () => {
    const docker = dockerClient(host);
    for (const recipe of [...nodeImages, ...podImages]) await ensureImage(docker, recipe, () => undefined);
  });
  // They are in the engine now.
  rmSync(`${cacheDir()}/images`, { recursive: true, force: true });
} catch (error) {
  process.stderr.write(`images: ${errorText(error)}\n`);
  process.exitCode = 2;
}
