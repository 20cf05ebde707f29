// Every namespace of a lab that a packet may pass, with the way into it and the names of its devices.
import type Docker from 'dockerode';
import { labels } from '@podwire/agent';
import { listLinks, openRoute } from '@podwire/netlink';
import { nodePid } from '../../nodes/node-container.ts';
import type { Lab } from '../../state/existing.ts';
import { nodeName } from '../../state/names.ts';
import type { Place } from '../model.ts';

export interface OpenPlace extends Place {
  /** Path of its namespace; absent for this process's own. */
  readonly netns?: string;
}

/** The machine, the underlay, the nodes that run and the pods that have a sandbox. */
export async function placesOf(lab: Lab, docker: Docker): Promise<readonly OpenPlace[]> {
  const nodes = await Promise.all(Array.from({ length: lab.spec.nodes }, async (_, index): Promise<OpenPlace[]> => {
    const name = nodeName(index + 1);
    const pid = await nodePid(docker, lab.names, name);
    return pid === undefined ? [] : [{ kind: 'node', name, node: name, netns: `/proc/${pid}/ns/net` }];
  }));
  const sandboxes = await docker.listContainers({ filters: { label: [`${labels.cluster}=${lab.names.id}`, `${labels.role}=sandbox`], status: ['running'] } });
  const pods = await Promise.all(sandboxes.map(async ({ Id, Labels, HostConfig }): Promise<OpenPlace[]> => {
    // A hostNetwork pod is in its node's namespace, which is listed already.
    if (HostConfig.NetworkMode.startsWith('container:')) return [];
    const { State } = await docker.getContainer(Id).inspect();
    return State.Pid === 0 ? [] : [{ kind: 'pod', name: `${Labels[labels.podNamespace] ?? ''}/${Labels[labels.podName] ?? ''}`, node: Labels[labels.node] ?? '', netns: `/proc/${State.Pid}/ns/net` }];
  }));
  return [{ kind: 'machine', name: 'machine' }, { kind: 'underlay', name: 'underlay', netns: lab.names.underlayNetns }, ...nodes.flat(), ...pods.flat()];
}

/** ifindex -> name, now. */
export function deviceNames({ netns }: OpenPlace): ReadonlyMap<number, string> {
  const socket = openRoute(netns === undefined ? {} : { netns });
  try {
    return new Map(listLinks(socket).map(({ index, name }) => [index, name]));
  } finally {
    socket.close();
  }
}
