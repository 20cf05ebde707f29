// A cluster whose API server is the one under test, and the rest ours: controllers, scheduler and proxy, as API clients. The kubelet of
// node1 is played here: a pod that is bound gets a namespace on the node's bridge, with a server in it, and is said to run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Informer, KubeClient, isNotFound, kubeTime, resources } from '@podwire/kube-client';
import type { Pod } from '@podwire/kube-client';
import { startProxy } from '@podwire/proxy';
import { startControllers } from '../../apiserver-lite/controllers/index.ts';
import { startScheduler } from '../../apiserver-lite/scheduler/index.ts';
import { kubeconfigText } from '../../proxy/testing/cluster-api.ts';
import { ADDRESSES, createNetLab } from '../../proxy/testing/netlab.ts';
import type { NetLab, Probe } from '../../proxy/testing/netlab.ts';
import { startServerUnderTest } from '../helpers/api-under-test.ts';
import { succeed } from '../helpers/run.ts';

export interface ClusterScene extends AsyncDisposable {
  readonly lab: NetLab;
  readonly client: KubeClient;
  /** What parts reported as going wrong. */
  readonly warnings: readonly string[];
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

export async function createClusterScene(kubectlPath: string): Promise<ClusterScene> {
  await using undo = new AsyncDisposableStack();
  const lab = undo.use(await createNetLab());
  const server = undo.use(await startServerUnderTest());
  const directory = mkdtempSync(join(tmpdir(), 'pw-cluster-scene-'));
  undo.defer(() => rmSync(directory, { recursive: true, force: true }));
  const warnings: string[] = [];
  const tell = (fields: object, text: string): void => void warnings.push('err' in fields ? `${text}: ${String(fields.err)}` : text);
  const log = { debug: () => undefined, info: () => undefined, warn: tell, error: tell };
  const connect = (access: typeof server.admin): KubeClient => {
    const client = new KubeClient(access);
    undo.defer(() => client.close());
    return client;
  };
  const client = connect(server.admin);
  const stopping = new AbortController();
  const parts = [
    startControllers({ client: connect(server.admin), signal: stopping.signal, log, settings: { clusterCidrs: ['10.244.0.0/16'], rootCa: server.admin.ca ?? '' } }),
    startScheduler({ client: connect(server.admin), signal: stopping.signal, log }),
  ];
  undo.defer(async () => {
    stopping.abort();
    await Promise.all(parts.map(({ stopped }) => stopped));
  });
  await startKubelet(lab, client, stopping.signal, tell);
  const proxy = await startProxy({ client: connect(server.proxy), nodeName: 'node1', log, config: { clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/16'], healthzBindAddress: '', metricsBindAddress: '' } });
  undo.defer(() => proxy.stop());

  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(server.admin), { mode: 0o600 });
  const env = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(directory, 'cache') };
  const all = undo.move();
  return {
    lab, client, warnings,
    kubectl: (args, input) => succeed([kubectlPath, ...args], { env, ...(input === undefined ? {} : { input }) }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Registers node1 as ready, and keeps its pods. */
async function startKubelet(lab: NetLab, client: KubeClient, signal: AbortSignal, tell: (fields: object, text: string) => void): Promise<void> {
  const time = kubeTime(Date.now());
  const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: time, lastTransitionTime: time }];
  const capacity = { cpu: '4', memory: '8Gi', pods: '20' };
  await client.create(resources.nodes, { metadata: { name: 'node1' }, spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] }, status: { addresses: [{ type: 'InternalIP', address: ADDRESSES.node1[0] }], capacity, allocatable: capacity, conditions } });
  const running = new Map<string, Probe | undefined>();
  let next = 20; // 10.244.1.20 and on: the lab's own pods come before
  const run = async ({ metadata }: Pod): Promise<void> => {
    const name = metadata?.name ?? '';
    const n = next++;
    running.set(metadata?.uid ?? '', await lab.addPod(name, n));
    const podIP = `10.244.1.${n}`;
    const ready = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True', lastTransitionTime: kubeTime(Date.now()) }));
    await client.patch(resources.pods, { namespace: metadata?.namespace ?? '', name }, 'merge', { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], hostIP: ADDRESSES.node1[0], startTime: time, conditions: ready } }, { subresource: 'status' });
  };
  const end = async ({ metadata }: Pod): Promise<void> => {
    running.get(metadata?.uid ?? '')?.stop();
    await client.delete(resources.pods, { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }, { gracePeriodSeconds: 0 });
  };
  const attend = (pod: Pod): void => {
    const uid = pod.metadata?.uid ?? '';
    const isLeaving = pod.metadata?.deletionTimestamp !== undefined;
    if (pod.spec?.nodeName === undefined || (running.has(uid) && !isLeaving)) return;
    if (!isLeaving) running.set(uid, undefined);
    (isLeaving ? end(pod) : run(pod)).catch((error: unknown) => { if (!signal.aborted && !isNotFound(error)) tell({}, `kubelet: ${String(error)}`); });
  };
  const pods = new Informer({ client, resource: resources.pods, fieldSelector: 'spec.nodeName=node1' });
  pods.on({ add: attend, update: attend });
  pods.start(signal);
  await pods.waitForSync();
}
