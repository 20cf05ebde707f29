import { Agent } from 'node:https';
import type { CallHandler } from '../http/call.ts';
import type { Pair } from '../pki/pki.ts';
import type { KubeletAccess } from './node-endpoint.ts';
import type { reviewHandlers } from '../reviews/handlers.ts';
import { handleBinding, handleEviction, handleFinalize, handlePodPart } from './pods.ts';
import { handleNodeProxy, handlePodProxy, handleServiceProxy } from './proxy.ts';
import { handleScale } from './scale.ts';
import { handleLog, handlePortForward, handleRemoteCommand } from './streams.ts';

export type Handlers = Readonly<{ subresources: ReadonlyMap<string, CallHandler>; virtual: ReadonlyMap<string, CallHandler> }>;

/** Everything below a resource that is not plain REST, and resources that are never stored. */
export function subresourceHandlers({ kubeletClient, caCert, reviews }: Readonly<{ kubeletClient: Pair; caCert: string; reviews: ReturnType<typeof reviewHandlers> }>): Handlers {
  const tls = { cert: kubeletClient.cert, key: kubeletClient.key, ca: caCert };
  const kubelet: KubeletAccess = { ...tls, agent: new Agent({ ...tls, keepAlive: true }) };
  return {
    subresources: new Map<string, CallHandler>([
      ['scale', handleScale],
      ['/pods/log', handleLog(kubelet)],
      ['/pods/exec', handleRemoteCommand(kubelet, 'exec')],
      ['/pods/attach', handleRemoteCommand(kubelet, 'attach')],
      ['/pods/portforward', handlePortForward(kubelet)],
      ['/pods/proxy', handlePodProxy],
      ['/pods/binding', handleBinding],
      ['/pods/eviction', handleEviction],
      ['/pods/ephemeralcontainers', handlePodPart],
      ['/pods/resize', handlePodPart],
      ['/services/proxy', handleServiceProxy],
      ['/nodes/proxy', handleNodeProxy(kubelet)],
      ['/namespaces/finalize', handleFinalize],
      ['/serviceaccounts/token', reviews.token],
    ]),
    virtual: new Map<string, CallHandler>([['/bindings', handleBinding], ...reviews.virtual]),
  };
}
