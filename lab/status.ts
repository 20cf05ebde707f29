// `podwire status`: the lab's parts and what the API says about nodes, pods and Services.
import { resources } from '@podwire/kube-client';
import type { KubeClient, Node, Pod, Service } from '@podwire/kube-client';
import { adminClient } from './cluster/client.ts';
import { errorText } from './errors.ts';
import { answers } from './engine/client.ts';
import { addressesOf, liveConnections } from './live-connections.ts';
import type { Addresses, LiveConnection } from './live-connections.ts';
import { faultText } from './faults/catalogue.ts';
import { activeFaults } from './faults/ledger.ts';
import { agentService } from './nodes/node.ts';
import { runningService } from './processes/service.ts';
import { nodeName } from './state/names.ts';
import { underlayAddresses } from './state/spec.ts';
import { table } from './table.ts';
import type { LabNames } from './state/names.ts';
import type { LabSpec } from './state/spec.ts';

export interface LabStatus {
  readonly stateDir: string;
  readonly kubeconfig: string;
  readonly healthy: boolean;
  readonly parts: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly nodes: readonly { readonly name: string; readonly ready: boolean; readonly address: string; readonly podCIDR: string }[];
  readonly pods: readonly { readonly namespace: string; readonly name: string; readonly phase: string; readonly ready: boolean; readonly node: string; readonly ip: string }[];
  /** Broken on purpose, in the order in which it was done. */
  readonly faults: readonly { readonly name: string; readonly text: string; readonly node: string }[];
  readonly services: readonly { readonly namespace: string; readonly name: string; readonly clusterIP: string; readonly ports: string }[];
  /** Live connections through Services, each with the pod that it has. */
  readonly connections: readonly LiveConnection[];
}

async function partsOf(names: LabNames, spec: LabSpec): Promise<LabStatus['parts']> {
  const engine = spec.engine;
  const engineOk = engine !== undefined && (await answers(engine.host));
  const indexes = Array.from({ length: spec.nodes }, (_, at) => at + 1);
  return [
    { name: 'Docker engine', ok: engineOk, detail: engine === undefined ? 'not chosen yet' : `${engine.host}${engine.kind === 'private' ? " (the lab's own)" : ''}` },
    processPart(names, 'apiserver', `https://${underlayAddresses(spec).gateway}:${spec.apiPort}`),
    ...indexes.map((index) => processPart(names, agentService(nodeName(index)), underlayAddresses(spec).node(index))),
  ];
}

function processPart(names: LabNames, name: string, where: string): LabStatus['parts'][number] {
  const running = runningService(names, name);
  return { name, ok: running !== undefined, detail: running === undefined ? `not running; log: ${names.logDir}/${name}.log` : `${where}, pid ${running.pid}` };
}

export function isReady(object: Node | Pod): boolean {
  return object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

function nodeRow(node: Node): LabStatus['nodes'][number] {
  return {
    name: node.metadata?.name ?? '',
    ready: isReady(node),
    address: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
    podCIDR: node.spec?.podCIDR ?? '',
  };
}

function podRow(pod: Pod): LabStatus['pods'][number] {
  return {
    namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', phase: pod.status?.phase ?? 'Unknown', ready: isReady(pod),
    node: pod.spec?.nodeName ?? '', ip: pod.status?.podIP ?? '',
  };
}

function serviceRow(service: Service): LabStatus['services'][number] {
  const ports = service.spec?.ports?.map(({ port, protocol, nodePort }) => `${port}${nodePort === undefined ? '' : `:${nodePort}`}/${protocol ?? 'TCP'}`) ?? [];
  return { namespace: service.metadata?.namespace ?? '', name: service.metadata?.name ?? '', clusterIP: service.spec?.clusterIP ?? '', ports: ports.join(',') };
}

interface Seen extends Pick<LabStatus, 'nodes' | 'pods' | 'services'> { readonly addresses: Addresses }

async function cluster(client: KubeClient): Promise<Seen> {
  const signal = AbortSignal.timeout(10_000);
  const [nodes, pods, services] = await Promise.all([client.list(resources.nodes, { signal }), client.list(resources.pods, { signal }), client.list(resources.services, { signal })]);
  const nodeNames = new Map(nodes.items.flatMap(({ metadata, status }) => (status?.addresses ?? []).map(({ address }) => [address, metadata?.name ?? ''] as const)));
  return { nodes: nodes.items.map(nodeRow), pods: pods.items.map(podRow), services: services.items.map(serviceRow), addresses: addressesOf(pods.items, services.items, nodeNames) };
}

export async function labStatus(names: LabNames, spec: LabSpec): Promise<LabStatus> {
  const parts = await partsOf(names, spec);
  const faults = activeFaults(names).map((fault) => ({ name: fault.name, text: faultText(fault), node: fault.params.node }));
  const client = adminClient(names);
  try {
    const { addresses, ...seen } = await cluster(client);
    const connections = await liveConnections(names, spec, seen.nodes.map(({ name }) => name), addresses);
    const healthy = parts.every(({ ok }) => ok) && seen.nodes.filter(({ ready }) => ready).length >= spec.nodes;
    return { stateDir: names.stateDir, kubeconfig: names.kubeconfig, healthy, parts, faults, ...seen, connections };
  } catch (error) {
    const silent = { name: 'Kubernetes API', ok: false, detail: errorText(error) };
    return { stateDir: names.stateDir, kubeconfig: names.kubeconfig, healthy: false, parts: [...parts, silent], faults, nodes: [], pods: [], services: [], connections: [] };
  } finally {
    client.close();
  }
}

export function statusText(status: LabStatus): string {
  const yes = (ok: boolean): string => (ok ? 'ok' : 'NOT OK');
  return [
    table(['PART', 'STATE', 'WHERE'], status.parts.map(({ name, ok, detail }) => [name, yes(ok), detail])),
    table(['NODE', 'READY', 'ADDRESS', 'POD CIDR'], status.nodes.map(({ name, ready, address, podCIDR }) => [name, ready ? 'yes' : 'NO', address, podCIDR])),
    table(['NAMESPACE', 'POD', 'READY', 'PHASE', 'IP', 'NODE'], status.pods.map(({ namespace, name, ready, phase, ip, node }) => [namespace, name, ready ? 'yes' : 'NO', phase, ip, node])),
    table(['NAMESPACE', 'SERVICE', 'CLUSTER-IP', 'PORTS'], status.services.map(({ namespace, name, clusterIP, ports }) => [namespace, name, clusterIP, ports])),
    connectionsText(status.connections),
    table(['FAULT IN FORCE', 'PUT RIGHT BY'], status.faults.map(({ name, text }) => [text, `podwire fault --undo ${name}`])),
    status.healthy ? `healthy${status.faults.length === 0 ? '' : '; broken on purpose, see above'}` : "not healthy; 'podwire up' restarts what is missing",
  ].filter((part) => part !== '').join('\n\n');
}

const SHOWN = 20;

function connectionsText(connections: readonly LiveConnection[]): string {
  const rows = connections.slice(0, SHOWN).map(({ node, client, service, backend, protocol, state }) => [node, client, service, backend, state === '' ? protocol : `${protocol} ${state}`]);
  const more = connections.length - rows.length;
  return `${table(['NODE', 'CLIENT', 'THROUGH SERVICE', 'BACKEND', 'PROTOCOL'], rows)}${more > 0 ? `\nand ${more} more: podwire status -o json` : ''}`;
}
