// Taking a lab away, whatever is left of it. The state file is a help, not the truth: everything is found again by name, label,
// environment and control group, so that it also works after `kill -9` of everything and without the state directory.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorText, LabError } from './errors.ts';
import { answers, dockerClient, ifFound } from './engine/client.ts';
import { privateHost } from './engine/private-engine.ts';
import { removeEngineRemains, unmountBelow } from './engine/remove-engine.ts';
import { removeWhenEmpty } from './engine/footprints.ts';
import { labels } from '@podwire/agent';
import { contentLabel } from './images/index.ts';
import { removeNetns } from './network/namespace.ts';
import { clusterFilter, removeContainers } from './nodes/node-container.ts';
import { findProcesses } from './processes/proc.ts';
import { tryRun } from './processes/run.ts';
import { endProcesses } from './processes/signal.ts';
import type { LabNames } from './state/names.ts';

/** Everything a lab writes into its state directory; nothing else in it is ever deleted. */
const ownEntries = ['kubeconfig', 'logs', 'run', 'nodes', 'apiserver', 'engine', 'compile-cache', 'lab.json', 'lab.json.new', 'faults.json', 'faults.json.new'] as const;

/** Removes every trace. `foreignHost`: the engine that is not ours but holds our containers, when it is known. */
export async function tearDown(names: LabNames, foreignHost: string | undefined): Promise<void> {
  // Agents first: one that lives on would start again what is removed here.
  await endMarked(names);
  const failures: string[] = [];
  for (const host of new Set([foreignHost, process.env['DOCKER_HOST'], 'unix:///var/run/docker.sock'])) {
    if (host?.startsWith('unix://') === true && host !== privateHost(names) && (await answers(host))) {
      // An engine that fails must not keep the rest from going.
      await cleanForeignEngine(host, names).catch((error: unknown) => failures.push(`the Docker engine on ${host} does not give up the lab's containers (${errorText(error)}); run 'podwire down' again when it works`));
    }
  }
  // A shim may have started something between two looks.
  await endMarked(names);
  await tryRun(['/usr/sbin/ip', 'link', 'del', names.machineDevice]);
  await removeNetns(names.underlayNetns);
  await unmountBelow([names.stateDir]);
  await removeEngineRemains(names);
  for (const entry of ownEntries) rmSync(join(names.stateDir, entry), { recursive: true, force: true });
  if (existsSync(names.stateDir)) removeWhenEmpty(names.stateDir);
  if (failures.length > 0) throw new LabError('EFAILED', failures.join('; '));
}

async function endMarked(names: LabNames): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const found = findProcesses(names.marker, names.cgroupParent);
    if (found.length === 0) return;
    await endProcesses(found, 0);
  }
}

/** Our containers, and our images when no other lab's node is there to need them. */
async function cleanForeignEngine(host: string, names: LabNames): Promise<void> {
  const docker = dockerClient(host);
  await removeContainers(docker, [clusterFilter(names)]);
  const others = await docker.listContainers({ all: true, filters: { label: [`${labels.role}=node`] } });
  if (others.length > 0) return;
  const images = await docker.listImages({ filters: { label: [contentLabel] } });
  for (const { Id } of images) await ifFound(docker.getImage(Id).remove({ force: true }));
}
