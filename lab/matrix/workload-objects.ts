// The matrix's own pods and Services, as data: two probe pods on every node, and Services that differ in one thing each.
import type { Namespace, Pod, Service } from '@podwire/kube-client';
import { PROBE_IMAGE } from '../probe/image.ts';

export const NAMESPACE = 'podwire-matrix';
export const APP_LABEL = 'app=probe';
export const PORT = 8080;
/** The usual one; the API does not say it. */
export const CLUSTER_DOMAIN = 'cluster.local';
/** Addresses for documentation, which nobody has: for the Service with external IPs. */
export const EXTERNAL_IPS: readonly string[] = ['192.0.2.10', '2001:db8::10'];
const NODE_LABEL = 'probe.podwire.io/node';
/** Which edition of the probe a pod runs. */
export const EDITION = 'probe.podwire.io/edition';
const TURN_LABEL = 'probe.podwire.io/turn';

export const podName = (node: string, turn: 'a' | 'b'): string => `probe-${node}-${turn}`;
/** Endpoints on one node only. */
export const onNode = (node: string): string => `on-${node}`;
/** One endpoint: the node's first pod. */
export const ownOf = (node: string): string => `own-${node}`;

export function namespaceObject(): Namespace {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
}

export function podObjects(nodes: readonly string[], image: string = PROBE_IMAGE, edition = ''): readonly Pod[] {
  return nodes.flatMap((node) => (['a', 'b'] as const).map((turn): Pod => ({
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name: podName(node, turn), namespace: NAMESPACE, labels: { app: 'probe', [NODE_LABEL]: node, [TURN_LABEL]: turn }, annotations: { [EDITION]: edition } },
    spec: {
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [{
        name: 'probe', image, imagePullPolicy: 'IfNotPresent',
        env: [
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          { name: 'PROBE_LINGER', value: '0' },
        ],
        ports: [{ containerPort: PORT, protocol: 'TCP' }, { containerPort: PORT, protocol: 'UDP' }],
        readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
      }],
    },
  })));
}

export function serviceObjects(nodes: readonly string[]): readonly Service[] {
  const [first = ''] = nodes;
  return [
    service('probe', { app: 'probe' }, { type: 'NodePort', externalIPs: [...EXTERNAL_IPS] }),
    service('sticky', { app: 'probe' }, { type: 'NodePort', sessionAffinity: 'ClientIP' }),
    service('none', { app: 'nobody' }, { type: 'NodePort' }),
    service('balanced', { app: 'probe' }, { type: 'LoadBalancer' }),
    service('balanced-local', { app: 'probe' }, { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }),
    service('local', { app: 'probe', [NODE_LABEL]: first }, { type: 'NodePort', externalTrafficPolicy: 'Local' }),
    service('inner-local', { app: 'probe', [NODE_LABEL]: first }, { internalTrafficPolicy: 'Local' }),
    ...nodes.map((node) => service(onNode(node), { app: 'probe', [NODE_LABEL]: node }, { type: 'NodePort' })),
    ...nodes.map((node) => service(ownOf(node), { app: 'probe', [NODE_LABEL]: node, [TURN_LABEL]: 'a' }, {})),
  ];
}

function service(name: string, selector: Record<string, string>, spec: NonNullable<Service['spec']>): Service {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: NAMESPACE },
    spec: {
      selector, ipFamilyPolicy: 'PreferDualStack', ...spec,
      ports: [{ name: 'tcp', protocol: 'TCP', port: PORT, targetPort: PORT }, { name: 'udp', protocol: 'UDP', port: PORT, targetPort: PORT }],
    },
  };
}
