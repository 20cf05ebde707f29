// The objects that lessons make, all in one namespace that goes when the lesson ends.
import type { Deployment, Pod, Service } from '@podwire/kube-client';
import { PORT } from '../matrix/workload-objects.ts';
import { PROBE_IMAGE } from '../probe/image.ts';

export const LESSON = 'podwire-lesson';

type Container = NonNullable<Pod['spec']>['containers'][number];

function container(lingerSeconds: number): Container {
  return {
    name: 'probe', image: PROBE_IMAGE, imagePullPolicy: 'IfNotPresent',
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'PROBE_LINGER', value: String(lingerSeconds) },
    ],
    ports: [{ containerPort: PORT, protocol: 'TCP' }, { containerPort: PORT, protocol: 'UDP' }],
    readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
  };
}

export function lessonPod(name: string, app: string, node: string): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: LESSON, labels: { app } }, spec: { nodeName: node, terminationGracePeriodSeconds: 0, containers: [container(0)] } };
}

export function lessonService(name: string): Service {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: LESSON },
    spec: { selector: { app: name }, ports: [{ name: 'tcp', protocol: 'TCP', port: PORT, targetPort: PORT }, { name: 'udp', protocol: 'UDP', port: PORT, targetPort: PORT }] },
  };
}

export interface DeploymentOptions {
  readonly name: string;
  readonly replicas: number;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

/** Its pods serve on for some seconds after they were told to end: until then every node has heard. */
export function lessonDeployment({ name, replicas, nodeSelector }: DeploymentOptions): Deployment {
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: LESSON },
    spec: {
      replicas, selector: { matchLabels: { app: name } }, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 5, containers: [container(3)], ...(nodeSelector === undefined ? {} : { nodeSelector: { ...nodeSelector } }) },
      },
    },
  };
}
