import type { Container, EphemeralContainer, HTTPGetAction, Lifecycle, Probe, ResourceRequirements } from 'kubernetes-types/core/v1.js';
import type { Loose } from './loose.ts';
import { setDefault } from './loose.ts';

type AnyContainer = Loose<Container> | Loose<EphemeralContainer>;

/** What kube-apiserver fills into a container. `hostNetwork`: container ports are the node's own ports. */
export function defaultContainer(container: AnyContainer, hostNetwork: boolean): void {
  setDefault(container, 'imagePullPolicy', pullPolicyFor(container.image ?? ''));
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  defaultRequests(setDefault(container, 'resources', {}));
  for (const port of container.ports ?? []) {
    setDefault(port, 'protocol', 'TCP');
    if (hostNetwork && port.hostPort === undefined && port.containerPort !== undefined) port.hostPort = port.containerPort;
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) setDefault(valueFrom.fieldRef, 'apiVersion', 'v1');
    if (valueFrom?.resourceFieldRef !== undefined) setDefault(valueFrom.resourceFieldRef, 'divisor', '0');
  }
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultLifecycle(container.lifecycle);
}

/** An image without a tag, or tagged latest, is asked for anew at each start. */
export function pullPolicyFor(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** A limit without a request is the request too. */
function defaultRequests(resources: Loose<ResourceRequirements>): void {
  for (const [name, limit] of Object.entries(resources.limits ?? {})) {
    const requests: Record<string, string | undefined> = (resources.requests ??= {});
    requests[name] ??= limit;
  }
}

function defaultProbe(probe: Loose<Probe> | undefined): void {
  if (probe === undefined) return;
  setDefault(probe, 'timeoutSeconds', 1);
  setDefault(probe, 'periodSeconds', 10);
  setDefault(probe, 'successThreshold', 1);
  setDefault(probe, 'failureThreshold', 3);
  defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) setDefault(probe.grpc, 'service', '');
}

function defaultLifecycle(lifecycle: Loose<Lifecycle> | undefined): void {
  defaultHttpGet(lifecycle?.postStart?.httpGet);
  defaultHttpGet(lifecycle?.preStop?.httpGet);
}

function defaultHttpGet(action: Loose<HTTPGetAction> | undefined): void {
  if (action === undefined) return;
  setDefault(action, 'path', '/');
  setDefault(action, 'scheme', 'HTTP');
}
