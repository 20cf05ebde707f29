// A lab node is a pause container without a network: its namespace is the node. Pods with hostNetwork join it.
import type Docker from 'dockerode';
import { labels } from '@podwire/agent';
import { ifFound } from '../engine/client.ts';
import { LabError } from '../errors.ts';
import { pause } from '../images/small.ts';
import { nodeContainerName } from '../state/names.ts';
import type { LabNames } from '../state/names.ts';

/** Two labs on one engine stay apart by this. */
export function clusterFilter(names: LabNames): string {
  return `${labels.cluster}=${names.id}`;
}

export interface NodeContainer {
  readonly pid: number;
  readonly state: 'running' | 'made';
}

/** The pid of a node's pause process, or undefined when it does not run. */
export async function nodePid(docker: Docker, names: LabNames, node: string): Promise<number | undefined> {
  const info = await ifFound(docker.getContainer(nodeContainerName(names, node)).inspect());
  return info?.State.Running === true && info.State.Pid > 0 ? info.State.Pid : undefined;
}

/** Starts the node's container. A node that died is made anew with nothing in it: its pods lost their cables and start again. */
export async function ensureNodeContainer(docker: Docker, names: LabNames, node: string): Promise<NodeContainer> {
  const running = await nodePid(docker, names, node);
  if (running !== undefined) return { pid: running, state: 'running' };
  await removeNodeContainers(docker, names, node);
  const container = await docker.createContainer({
    name: nodeContainerName(names, node),
    Hostname: node,
    Image: pause.name,
    Labels: { [labels.cluster]: names.id, [labels.node]: node, [labels.role]: 'node' },
    HostConfig: { NetworkMode: 'none', IpcMode: 'shareable' },
  });
  await container.start();
  const pid = await nodePid(docker, names, node);
  if (pid === undefined) throw new LabError('EFAILED', `${node}: its container ended right after the start; see: docker logs ${nodeContainerName(names, node)}`);
  return { pid, state: 'made' };
}

/** Removes the node's container and those of its pods. */
export async function removeNodeContainers(docker: Docker, names: LabNames, node: string): Promise<void> {
  await removeContainers(docker, [clusterFilter(names), `${labels.node}=${node}`]);
}

/** docker rm --force --volumes $(docker ps --all --filter label=...) */
export async function removeContainers(docker: Docker, label: readonly string[]): Promise<void> {
  const list = await docker.listContainers({ all: true, filters: { label: [...label] } });
  await Promise.all(list.map(async ({ Id }) => {
    try {
      await ifFound(docker.getContainer(Id).remove({ force: true, v: true }));
    } catch (error) {
      // 409: its removal is under way already.
      if ((error as { readonly statusCode?: number }).statusCode !== 409) throw error;
    }
  }));
}
