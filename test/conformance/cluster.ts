// A Deployment behind a Service by the real kubectl, our controllers, scheduler and proxy, over the API server under test; packets decide.
import test from 'ava';
import type { Probe } from '../../proxy/testing/netlab.ts';
import { findKubectl } from '../e2e/apiserver.ts';
import { eventually } from '../helpers/poll.ts';
import { createClusterScene } from './cluster-scene.ts';
import type { ClusterScene } from './cluster-scene.ts';

const kubectlPath = findKubectl();
const withKubectl = kubectlPath === undefined ? test.serial.skip : test.serial;

const manifest = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}, {name: dns, port: 53, protocol: UDP, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "web:1", ports: [{containerPort: 8080}]}]
`;

let scene: ClusterScene;
test.before(async () => { if (kubectlPath !== undefined) scene = await createClusterScene(kubectlPath); });
test.after.always(async () => { if (kubectlPath !== undefined) await scene[Symbol.asyncDispose](); });

const clusterIP = (): Promise<string> => scene.kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
const podNames = async (): Promise<string[]> => (await scene.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}'])).split(' ').filter((name) => name !== '').sort();
/** Who answered, of sixteen connections. */
async function answers(from: Probe, host: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<string[]> {
  return [...new Set((await from.ask({ protocol, host, port, count: 16, timeoutMs: 1000 })).map((reply) => reply.split('|')[0] ?? ''))].sort();
}
/** Everybody who runs, and nobody else, answers. */
async function allAnswer(count: number, from: Probe, host: string, port: number, protocol?: 'tcp' | 'udp'): Promise<readonly string[]> {
  return eventually(`the ${count} pods, and no other, to answer`, async () => {
    const names = await podNames();
    return names.length === count && (await answers(from, host, port, protocol)).join(' ') === names.join(' ') && names;
  });
}

withKubectl('kubectl apply of a Deployment and a Service: pods are made, placed and reached over TCP and UDP, from a pod, the node and outside', async (t) => {
  t.regex(await scene.kubectl(['apply', '-f', '-'], manifest), /service\/web created\ndeployment\.apps\/web created/);
  await scene.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  const address = await clusterIP();
  const { lab } = scene;
  for (const from of [lab.a, lab.node1, lab.outside]) t.is((await allAnswer(3, from, address, 80)).length, 3);
  t.is((await allAnswer(3, lab.a, address, 53, 'udp')).length, 3);
  t.is((await allAnswer(3, lab.outside, '192.168.77.1', 30_080)).length, 3);
  t.regex(await scene.kubectl(['apply', '-f', '-'], manifest), /service\/web unchanged\ndeployment\.apps\/web unchanged/);
});

withKubectl('the Service follows kubectl scale, a deleted pod, and a new edition of the Deployment', async (t) => {
  const address = await clusterIP();
  await scene.kubectl(['scale', 'deployment/web', '--replicas=1']);
  const [one = ''] = await allAnswer(1, scene.lab.a, address, 80);
  await scene.kubectl(['delete', 'pod', one]);
  const [other = ''] = await allAnswer(1, scene.lab.a, address, 80);
  t.not(other, one);
  await scene.kubectl(['set', 'image', 'deployment/web', 'web=web:2']);
  await scene.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  t.not((await allAnswer(1, scene.lab.a, address, 80))[0], other);
});

withKubectl('scaled to nothing it is refused, deleted it is silent, and what belonged to it is cleaned up', async (t) => {
  const address = await clusterIP();
  await scene.kubectl(['scale', 'deployment/web', '--replicas=0']);
  await eventually('refusal', async () => (await answers(scene.lab.a, address, 80)).join() === 'ECONNREFUSED');
  await scene.kubectl(['delete', 'service/web', 'deployment/web']);
  await eventually('silence', async () => (await scene.lab.a.ask({ protocol: 'tcp', host: address, port: 80, timeoutMs: 250 })).join() === 'ETIMEDOUT');
  await eventually('slices and ReplicaSets to go', async () => !(await scene.kubectl(['get', 'endpointslices,replicasets', '-o', 'name'])).includes('/web'));
  t.deepEqual(scene.warnings.filter((text) => !text.includes('watch interrupted')), []);
});
