import type { Deployment, Service } from '@podwire/kube-client';
import { PROBE_IMAGE } from '../probe/image.ts';
import { NAMESPACE, PORT } from './workload-objects.ts';

export const CHURN = 'churn';

/** Pods that serve on while they stop: what a workload must do to lose no request, whatever the network does. */
export function churnDeployment(replicas: number, image: string = PROBE_IMAGE): Deployment {
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: CHURN, namespace: NAMESPACE },
    spec: {
      replicas, selector: { matchLabels: { app: CHURN } },
      template: {
        metadata: { labels: { app: CHURN } },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [{
            name: 'probe', image, imagePullPolicy: 'IfNotPresent',
            env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, { name: 'PROBE_LINGER', value: '5' }],
            ports: [{ containerPort: PORT, protocol: 'TCP' }, { containerPort: PORT, protocol: 'UDP' }],
            readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
          }],
        },
      },
    },
  };
}

export function churnService(): Service {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { name: CHURN, namespace: NAMESPACE },
    spec: { selector: { app: CHURN }, ipFamilyPolicy: 'PreferDualStack', ports: [{ name: 'tcp', protocol: 'TCP', port: PORT, targetPort: PORT }, { name: 'udp', protocol: 'UDP', port: PORT, targetPort: PORT }] },
  };
}
