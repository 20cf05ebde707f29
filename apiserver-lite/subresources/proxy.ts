import type { Call, CallHandler } from '../http/call.ts';
import { badRequest, notFoundError, StatusError } from '../http/status-error.ts';
import type { ApiObject } from '../registry/definition.ts';
import { existing } from '../rest/write.ts';
import { forwardRequest } from './forward.ts';
import { nodeEndpoint } from './node-endpoint.ts';
import type { KubeletAccess } from './node-endpoint.ts';

type Named = Readonly<{ secure: boolean; name: string; port: string }>;

/** `https:web:8443`, `web:http`, `web` */
export function parseProxyName(text: string): Named {
  const parts = text.split(':');
  if (parts.length === 3) return { secure: parts[0] === 'https', name: parts[1] ?? '', port: parts[2] ?? '' };
  return { secure: false, name: parts[0] ?? '', port: parts[1] ?? '' };
}

const pathOf = ({ info, query }: Call): string => `${info.rest === '' ? '/' : info.rest}${query.size > 0 ? `?${query.toString()}` : ''}`;

/** `.../nodes/NAME/proxy/...`: the kubelet's own HTTP API. */
export const handleNodeProxy = (kubelet: KubeletAccess): CallHandler => async (call) => {
  const { name } = parseProxyName(call.info.name ?? '');
  await forwardRequest(call, { endpoint: nodeEndpoint(call.context, name), path: pathOf(call), kubelet });
};

type ContainerPort = { name?: string; containerPort: number };

/** `.../pods/NAME:PORT/proxy/...`: straight to the pod's address. */
export const handlePodProxy: CallHandler = async (call) => {
  const { secure, name, port } = parseProxyName(call.info.name ?? '');
  const pod = existing(call.context, { definition: call.definition, namespace: call.namespace, name }).object;
  const ip = (pod['status'] as { podIP?: string } | undefined)?.podIP;
  if (ip === undefined) throw new StatusError(503, 'ServiceUnavailable', `pod ${name} has no address yet`);
  const ports = ((pod['spec'] as { containers?: { ports?: ContainerPort[] }[] } | undefined)?.containers ?? []).flatMap((container) => container.ports ?? []);
  const number = port === '' ? ports[0]?.containerPort ?? 80 : /^\d+$/.test(port) ? Number(port) : ports.find((each) => each.name === port)?.containerPort;
  if (number === undefined) throw badRequest(`pod ${name} has no port named "${port}"`);
  await forwardRequest(call, { endpoint: { host: ip, port: number }, path: pathOf(call), secure });
};

type ServicePort = { name?: string; port: number };
type Slice = ApiObject & { ports?: { name?: string; port?: number }[]; endpoints?: { addresses: string[]; conditions?: { ready?: boolean } }[] };

/** `.../services/NAME:PORT/proxy/...`: one of the Service's ready endpoints, by chance. */
export const handleServiceProxy: CallHandler = async (call) => {
  const { secure, name, port } = parseProxyName(call.info.name ?? '');
  const service = existing(call.context, { definition: call.definition, namespace: call.namespace, name }).object;
  const ports = (service['spec'] as { ports?: ServicePort[] } | undefined)?.ports ?? [];
  const wanted = port === '' ? ports[0] : ports.find((each) => each.name === port || String(each.port) === port);
  if (wanted === undefined) throw notFoundError({ ...call.definition, plural: 'services' }, `${name}:${port}`);
  const candidates = call.context.cache.resource({ group: 'discovery.k8s.io', resource: 'endpointslices' }).all().map(({ object }) => object as Slice)
    .filter(({ metadata }) => metadata.namespace === call.namespace && metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) => {
      const number = slice.ports?.find((each) => (each.name ?? '') === (wanted.name ?? ''))?.port;
      return number === undefined ? [] : (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).map(({ addresses }) => ({ host: addresses[0] ?? '', port: number }));
    });
  const endpoint = candidates[Math.floor(Math.random() * candidates.length)];
  if (endpoint === undefined) throw new StatusError(503, 'ServiceUnavailable', `no endpoints available for service "${name}"`);
  await forwardRequest(call, { endpoint, path: pathOf(call), secure });
};
