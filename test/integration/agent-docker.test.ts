// The agent against a real Docker engine and a real API server, in a network namespace of this file's own.
import { readdirSync } from 'node:fs';
import { promises as dns } from 'node:dns';
import { join } from 'node:path';
import test from 'ava';
import { resources } from '@podwire/kube-client';
import type { KubeClient, Pod, PodSpec } from '@podwire/kube-client';
import { listLinks, openRoute, unshareNetns } from '@podwire/netlink';
import type { RunningApiServer } from '@podwire/apiserver-lite';
import { startAgent } from '../../agent/index.ts';
import type { AgentConfig, RunningAgent } from '../../agent/index.ts';
import { dockerRuntime } from '../../agent/runtime/docker.ts';
import { runtimeContract } from '../../agent/testing/runtime-contract.ts';
import { prepareAgentNode } from '../helpers/agent-node.ts';
import { cannotRunEngine, startTestEngine } from '../helpers/engine.ts';
import type { TestEngine } from '../helpers/engine.ts';
import { eventually } from '../helpers/poll.ts';
import { succeed } from '../helpers/run.ts';

const nodeIP = '10.97.0.1';
const signal = new AbortController().signal;
let engine: TestEngine;
let server: RunningApiServer;
let client: KubeClient;
let agent: RunningAgent | undefined;
let config: AgentConfig;

const maybe = cannotRunEngine === undefined ? test.serial : test.serial.skip;
if (cannotRunEngine === undefined) {
  unshareNetns();
  test.before(async () => {
    engine = await startTestEngine();
    ({ server, client, config } = await prepareAgentNode(engine, nodeIP));
    agent = await startAgent(config);
    await eventually('node1 is Ready', async () => (await client.get(resources.nodes, { name: 'node1' })).status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'));
  });
  test.after.always(async () => {
    await agent?.stop();
    client.close();
    await server.stop();
    await engine.remove();
  });
}

const nameOf = (name: string): { namespace: string; name: string } => ({ namespace: 'default', name });
const getPod = (name: string): Promise<Pod> => client.get(resources.pods, nameOf(name));

async function run(name: string, spec: Omit<PodSpec, 'containers'> & { readonly script: string; readonly container?: Partial<PodSpec['containers'][number]> }): Promise<void> {
  const { script, container, ...rest } = spec;
  await client.create(resources.pods, {
    metadata: { name, namespace: 'default' },
    spec: { terminationGracePeriodSeconds: 1, ...rest, containers: [{ name: 'main', image: engine.shellImage, command: ['sh', '-c', script], ...container }] },
  });
}

async function becomes(name: string, what: string, look: (pod: Pod) => boolean): Promise<Pod> {
  let last: Pod = {};
  return eventually(`${name}: ${what}`, async () => {
    last = await getPod(name);
    return look(last) ? last : undefined;
  }).catch((error: unknown) => { throw new Error(`${String(error)}; status: ${JSON.stringify(last.status)}`); });
}

const isReady = (pod: Pod): boolean => pod.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
const log = async (name: string): Promise<string> => (await client.raw(`/api/v1/namespaces/default/pods/${name}/log`)).body.toString();
const containers = async (): Promise<readonly string[]> => (await dockerRuntime(engine.host).containers.list({ 'podwire.io/cluster': engine.clusterId }, signal)).filter((one) => one.state === 'running').map((one) => one.id).sort();

async function remove(name: string): Promise<void> {
  await client.delete(resources.pods, nameOf(name));
  await eventually(`${name} is gone`, async () => getPod(name).then(() => false, () => true));
}

if (cannotRunEngine === undefined) runtimeContract(test, 'docker', () => Promise.resolve({ runtime: dockerRuntime(engine.host), image: engine.shellImage, cluster: `${engine.clusterId}-contract` }));

maybe('a pod bound to the node runs, has an address and answers on it; its log is read through the API server', async (t) => {
  await run('web', { script: 'echo I am $POD at $IP; mkdir -p /www; echo hello > /www/index.html; httpd -f -p 8080 -h /www', container: {
    env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
    readinessProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 1 },
  } });
  const pod = await becomes('web', 'Ready', isReady);
  t.regex(pod.status?.podIP ?? '', /^10\.244\.0\./u);
  t.is(await log('web'), `I am web at ${pod.status?.podIP ?? ''}\n`);
});

maybe('an agent that ends and comes back finds everything as it left it', async (t) => {
  const before = await containers();
  const podIP = (await getPod('web')).status?.podIP;
  await agent?.stop();
  t.deepEqual(await containers(), before);
  agent = await startAgent(config);
  await run('after', { script: 'sleep 1000' });
  await becomes('after', 'Ready', isReady);
  const web = await getPod('web');
  t.is(web.status?.podIP, podIP);
  t.is(web.status?.containerStatuses?.[0]?.restartCount, 0);
  const now = await containers();
  t.deepEqual(before.filter((id) => !now.includes(id)), []);
  t.is(now.length, before.length + 2);
});

maybe('a pod deleted while no agent ran is cleared away by the next: containers, links, leases, folders', async (t) => {
  await agent?.stop();
  await client.delete(resources.pods, nameOf('after'), { gracePeriodSeconds: 0 });
  await client.delete(resources.pods, nameOf('web'), { gracePeriodSeconds: 0 });
  agent = await startAgent(config);
  await eventually('no container is left', async () => (await containers()).length === 0);
  await eventually('no folder is left', () => readdirSync(join(config.rootDir, 'pods')).length === 0);
  using route = openRoute();
  t.deepEqual(listLinks(route).map((link) => link.name).filter((name) => /^pw-[0-9a-f]{12}$/u.test(name)), []);
  t.deepEqual(readdirSync(join(config.rootDir, 'cni/podwire')).filter((name) => name.startsWith('10.244.')), []);
});

maybe('volumes, init containers, a sidecar, limits and a user arrive in the container', async (t) => {
  await client.create(resources.configMaps, { metadata: { name: 'cm', namespace: 'default' }, data: { greeting: 'hi' } });
  await client.create(resources.pods, {
    metadata: { name: 'full', namespace: 'default', labels: { app: 'full' } },
    spec: {
      terminationGracePeriodSeconds: 1, hostname: 'myhost',
      volumes: [{ name: 'cm', configMap: { name: 'cm' } }, { name: 'work', emptyDir: {} }, { name: 'mem', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      initContainers: [
        { name: 'first', image: engine.shellImage, command: ['sh', '-c', 'echo first > /scratch/order'], volumeMounts: [{ name: 'work', mountPath: '/scratch' }] },
        { name: 'side', image: engine.shellImage, command: ['sleep', '1000'], restartPolicy: 'Always' },
      ],
      containers: [{
        name: 'main', image: engine.shellImage, resources: { limits: { memory: '32Mi' } }, securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true },
        command: ['sh', '-c', 'cat /cm/greeting /scratch/order; id -u; hostname; df /mem | grep -c tmpfs; touch /x 2>/dev/null || echo read-only; sleep 1000'],
        volumeMounts: [{ name: 'cm', mountPath: '/cm' }, { name: 'work', mountPath: '/scratch' }, { name: 'mem', mountPath: '/mem' }],
      }],
    },
  });
  await becomes('full', 'Ready', isReady);
  t.is(await eventually('the log is complete', async () => (await client.raw('/api/v1/namespaces/default/pods/full/log?container=main')).body.toString().includes('read-only') ? client.raw('/api/v1/namespaces/default/pods/full/log?container=main') : undefined).then((answer) => answer.body.toString()),
    'hifirst\n1000\nmyhost\n1\nread-only\n');
  await client.patch(resources.configMaps, nameOf('cm'), 'merge', { data: { greeting: 'changed' } });
  const kubectl = (...args: string[]): Promise<string> => succeed(['/usr/bin/env', 'kubectl', '--kubeconfig', server.kubeconfig, ...args], { env: { ...process.env, KUBECACHEDIR: join(engine.folder, 'cache') } });
  await eventually('the file follows the ConfigMap', async () => (await kubectl('exec', 'full', '-c', 'main', '--', 'cat', '/cm/greeting')) === 'changed');
  await remove('full');
});

maybe('a container that fails is held back with its last words; an image that is nowhere is named', async (t) => {
  await run('crash', { script: 'echo dying > /dev/termination-log; exit 3' });
  await run('none', { script: 'true', container: { image: 'registry.invalid/none:1' } });
  const crash = await becomes('crash', 'CrashLoopBackOff', (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff');
  const last = crash.status?.containerStatuses?.[0]?.lastState?.terminated;
  t.is(last?.exitCode, 3);
  t.is(last?.message, 'dying\n');
  await becomes('none', 'ErrImagePull or ImagePullBackOff', (pod) => /^(ErrImagePull|ImagePullBackOff)$/u.test(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''));
  await Promise.all([remove('crash'), remove('none')]);
});

maybe('a pod that never restarts ends as Succeeded and keeps its log', async (t) => {
  await run('job', { script: 'echo done', restartPolicy: 'Never' });
  await becomes('job', 'Succeeded', (pod) => pod.status?.phase === 'Succeeded');
  t.is(await log('job'), 'done\n');
  // A finished pod goes from the API at once; its sandbox follows.
  await remove('job');
  await eventually('nothing runs any more', async () => (await containers()).length === 0);
});

maybe('the kube-dns address answers from the node itself: Services, and endpoints as they come and go', async (t) => {
  const resolver = new dns.Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers(['10.96.0.10']);
  t.deepEqual(await eventually('the DNS answers', () => resolver.resolve4('kubernetes.default.svc.cluster.local')), ['10.96.0.1']);
  t.deepEqual(await resolver.reverse('10.96.0.1'), ['kubernetes.default.svc.cluster.local']);
  await client.create(resources.services, { metadata: { name: 'db', namespace: 'default' }, spec: { clusterIP: 'None', ports: [{ name: 'pg', port: 5432 }] } });
  await client.create(resources.endpointSlices, {
    metadata: { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } }, addressType: 'IPv4', ports: [{ name: 'pg', port: 5432 }],
    endpoints: [{ addresses: ['10.244.9.1'], hostname: 'db-0' }],
  });
  t.deepEqual(await eventually('the endpoint has a name', () => resolver.resolve4('db-0.db.default.svc.cluster.local')), ['10.244.9.1']);
  t.like((await resolver.resolveSrv('_pg._tcp.db.default.svc.cluster.local'))[0], { name: 'db-0.db.default.svc.cluster.local', port: 5432 });
  await client.patch(resources.endpointSlices, nameOf('db-1'), 'merge', { endpoints: [{ addresses: ['10.244.9.2'], hostname: 'db-0' }] });
  await eventually('the name follows the endpoint', async () => (await resolver.resolve4('db-0.db.default.svc.cluster.local'))[0] === '10.244.9.2');
  await t.throwsAsync(resolver.resolve4('none.default.svc.cluster.local'), { code: 'ENOTFOUND' });
});
