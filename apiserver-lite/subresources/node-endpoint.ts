import type { Agent } from 'node:https';
import { badRequest, notFoundError, StatusError } from '../http/status-error.ts';
import type { ApiObject } from '../registry/definition.ts';
import type { RestContext } from '../rest/context.ts';

/** What the API server needs to talk to kubelets. */
export type KubeletAccess = Readonly<{ cert: string; key: string; ca: string; agent: Agent }>;

export type Endpoint = Readonly<{ host: string; port: number }>;

const kubeletPort = 10250;
const nodesResource = { group: '', plural: 'nodes', kind: 'Node' };
const preferred = ['InternalIP', 'ExternalIP', 'Hostname'];

type NodeStatus = { addresses?: { type: string; address: string }[]; daemonEndpoints?: { kubeletEndpoint?: { Port?: number } } };

/** Where a node's kubelet listens, by its own status. */
export function nodeEndpoint(context: RestContext, nodeName: string): Endpoint {
  const node = context.cache.resource({ group: '', resource: 'nodes' }).get(`/objects/core/nodes/${nodeName}`)?.object;
  if (node === undefined) throw notFoundError(nodesResource, nodeName);
  const status = (node['status'] ?? {}) as NodeStatus;
  const address = preferred.map((type) => status.addresses?.find((each) => each.type === type)?.address).find((each) => each !== undefined);
  if (address === undefined) throw new StatusError(503, 'ServiceUnavailable', `node ${nodeName} has no address in its status yet; its agent has not reported`);
  return { host: address, port: status.daemonEndpoints?.kubeletEndpoint?.Port ?? kubeletPort };
}

type PodSpec = { nodeName?: string; containers?: { name: string }[]; initContainers?: { name: string }[]; ephemeralContainers?: { name: string }[] };

/** The container a request means: named, or the only one. */
export function containerOf(pod: Readonly<ApiObject>, asked: string | null): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = (pod['spec'] ?? {}) as PodSpec;
  const all = [...initContainers, ...containers, ...ephemeralContainers].map(({ name }) => name);
  if (asked !== null && asked !== '') {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = containers;
  if (containers.length === 1 && only !== undefined) return only.name;
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, choose one of: [${containers.map(({ name }) => name).join(' ')}]`);
}

export const nodeNameOf = (pod: Readonly<ApiObject>): string | undefined => {
  const { nodeName } = (pod['spec'] ?? {}) as PodSpec;
  return nodeName === '' ? undefined : nodeName;
};

export const unreachable = (what: string, error: Error): StatusError =>
  new StatusError(502, 'InternalError', `error dialing backend: ${what}: ${error.message}`);
