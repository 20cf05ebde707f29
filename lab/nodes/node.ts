// One lab node: its container, its cable, its sysctls and its agent.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { agentArguments, agentMain, agentNodeFlags, labels } from '@podwire/agent';
import { resources } from '@podwire/kube-client';
import type { Pki } from '@podwire/apiserver-lite';
import { nodeCredentials } from '../cluster/credentials.ts';
import { adminClient } from '../cluster/client.ts';
import { pause } from '../images/small.ts';
import { ensureNodeCable, removeCable, setNodeSysctls } from '../network/underlay.ts';
import { ensureService, runningService, stopService } from '../processes/service.ts';
import { nodeContainerName, nodeDir, nodeName } from '../state/names.ts';
import { podCIDRs, serviceCIDRs, underlayAddresses } from '../state/spec.ts';
import { clusterFilter, ensureNodeContainer, nodePid, removeNodeContainers } from './node-container.ts';
import type { LabNames } from '../state/names.ts';
import type { LabSpec } from '../state/spec.ts';
import type { Note } from '../progress.ts';

export interface NodeRequest {
  readonly pki: Pki;
  readonly docker: Docker;
  readonly names: LabNames;
  readonly spec: LabSpec;
  readonly index: number;
  readonly warn: Note;
}

export function agentService(node: string): string {
  return `agent-${node}`;
}

/** Starts what is missing of a node. Its agent is started anew when the ground under it changed. */
export async function ensureNode({ pki, docker, names, spec, index, warn }: NodeRequest): Promise<'running' | 'started'> {
  const node = nodeName(index);
  const addresses = underlayAddresses(spec);
  const isDead = (await nodePid(docker, names, node)) === undefined;
  // Before a dead node's containers are removed: its agent would start them again.
  if (isDead && runningService(names, agentService(node)) !== undefined) {
    warn(`${node} had died; it is built anew, and its pods start again`);
    await stopService(names, agentService(node), 0);
  }
  const container = await ensureNodeContainer(docker, names, node);
  const cable = await ensureNodeCable(names, addresses, index, container.pid);
  setNodeSysctls(container.pid);
  if (cable === 'laid' && container.state === 'running') await stopService(names, agentService(node), 2000);
  const agent = await ensureService(names, {
    name: agentService(node),
    argv: [process.execPath, ...agentNodeFlags, agentMain, ...(await agentFlags(pki, names, spec, index))],
    netnsPath: `/proc/${container.pid}/ns/net`,
    // The step that waits for the node to be Ready notices an agent that fails.
    ready: () => Promise.resolve(true),
    readyTimeoutMs: 5000,
  });
  return agent === 'started' || container.state === 'made' || cable === 'laid' ? 'started' : 'running';
}

async function agentFlags(pki: Pki, names: LabNames, spec: LabSpec, index: number): Promise<readonly string[]> {
  const node = nodeName(index);
  const folder = nodeDir(names, node);
  const addresses = underlayAddresses(spec);
  const nodeIP = addresses.node(index);
  mkdirSync(folder, { recursive: true });
  const { kubeconfig, certFile, keyFile, caFile } = await nodeCredentials(names, spec, pki, node, nodeIP);
  return agentArguments({
    kubeconfig,
    nodeName: node,
    nodeIp: [nodeIP, ...(addresses.v6 === undefined ? [] : [addresses.v6.node(index)])],
    rootDir: join(folder, 'root'),
    dockerHost: spec.engine?.host ?? '',
    clusterCidr: podCIDRs(spec),
    serviceCidr: serviceCIDRs(spec),
    podInfraContainerImage: pause.name,
    nodeContainer: nodeContainerName(names, node),
    clusterId: names.id,
    networkMode: spec.networkMode,
    podInterface: spec.podInterface,
    underlayDevice: 'eth0',
    tlsCertFile: certFile,
    tlsPrivateKeyFile: keyFile,
    clientCaFile: caFile,
  });
}

/** Nodes beyond the wanted number, as their containers tell. */
export async function extraNodes(docker: Docker, names: LabNames, wanted: number): Promise<readonly number[]> {
  const list = await docker.listContainers({ all: true, filters: { label: [clusterFilter(names), `${labels.role}=node`] } });
  return list.map(({ Labels }) => Number(/^node(\d+)$/u.exec(Labels[labels.node] ?? '')?.[1] ?? 0)).filter((index) => index > wanted);
}

/** Takes a node out of the lab: its agent, its containers, its cable and its Node object. */
export async function removeNode(docker: Docker, names: LabNames, index: number): Promise<void> {
  const node = nodeName(index);
  await stopService(names, agentService(node), 2000);
  await removeNodeContainers(docker, names, node);
  await removeCable(names, index);
  rmSync(nodeDir(names, node), { recursive: true, force: true });
  const client = adminClient(names);
  try {
    await client.delete(resources.nodes, { name: node });
  } finally {
    client.close();
  }
}
