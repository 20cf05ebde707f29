import type { Call, CallHandler } from '../http/call.ts';
import { targetOf } from '../http/resource-handler.ts';
import { badRequest, StatusError } from '../http/status-error.ts';
import { existing } from '../rest/write.ts';
import { forwardRequest, tunnelUpgrade } from './forward.ts';
import { containerOf, nodeEndpoint, nodeNameOf } from './node-endpoint.ts';
import type { KubeletAccess } from './node-endpoint.ts';

const logParameters = ['follow', 'previous', 'timestamps', 'sinceSeconds', 'sinceTime', 'tailLines', 'limitBytes', 'stream'];

const podOf = (call: Call): ReturnType<typeof existing>['object'] => existing(call.context, targetOf(call, undefined)).object;
const encode = (parts: readonly string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

/** GET `.../pods/NAME/log`: the kubelet's container log, as it comes. */
export const handleLog = (kubelet: KubeletAccess): CallHandler => async (call) => {
  const pod = podOf(call);
  const container = containerOf(pod, call.query.get('container'));
  const nodeName = nodeNameOf(pod);
  if (nodeName === undefined) {
    call.response.writeHead(200, { 'Content-Type': 'text/plain' }).end();
    return;
  }
  const query = new URLSearchParams();
  for (const name of logParameters) {
    const value = call.query.get(name);
    if (value !== null) query.set(name, value);
  }
  const path = `/containerLogs${encode([pod.metadata.namespace ?? '', pod.metadata.name, container])}?${query.toString()}`;
  await forwardRequest(call, { endpoint: nodeEndpoint(call.context, nodeName), path, kubelet });
};

/** exec and attach: stdin, stdout and stderr of a container, over whatever upgrade the client asked for. */
export const handleRemoteCommand = (kubelet: KubeletAccess, verb: 'exec' | 'attach'): CallHandler => async (call) => {
  const pod = podOf(call);
  const container = containerOf(pod, call.query.get('container'));
  const nodeName = requireNode(call, pod.metadata.name, nodeNameOf(pod));
  const query = new URLSearchParams();
  for (const [from, to] of [['stdin', 'input'], ['stdout', 'output'], ['stderr', 'error'], ['tty', 'tty']] as const) {
    if (/^(true|1)$/.test(call.query.get(from) ?? '')) query.set(to, '1');
  }
  for (const word of verb === 'exec' ? call.query.getAll('command') : []) query.append('command', word);
  const path = `/${verb}${encode([pod.metadata.namespace ?? '', pod.metadata.name, container])}?${query.toString()}`;
  await tunnelUpgrade(call, { endpoint: nodeEndpoint(call.context, nodeName), path, kubelet });
};

/** port-forward: the kubelet dials the pod's port. */
export const handlePortForward = (kubelet: KubeletAccess): CallHandler => async (call) => {
  const pod = podOf(call);
  const nodeName = requireNode(call, pod.metadata.name, nodeNameOf(pod));
  const query = new URLSearchParams();
  for (const port of call.query.getAll('ports')) query.append('port', port);
  const text = query.toString();
  const path = `/portForward${encode([pod.metadata.namespace ?? '', pod.metadata.name])}${text === '' ? '' : `?${text}`}`;
  await tunnelUpgrade(call, { endpoint: nodeEndpoint(call.context, nodeName), path, kubelet });
};

function requireNode(call: Call, name: string, nodeName: string | undefined): string {
  if (call.request.headers.upgrade === undefined) throw new StatusError(400, 'BadRequest', 'Upgrade request required');
  if (nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
  return nodeName;
}
