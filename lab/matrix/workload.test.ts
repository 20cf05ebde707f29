import test from 'ava';
import { FakeApi, KubeClient, resources } from '@podwire/kube-client';
import type { Node, Pod } from '@podwire/kube-client';
import { probeKey } from '../probe/bundle.ts';
import { EDITION, NAMESPACE, podObjects } from './workload-objects.ts';
import { ensureWorkload } from './workload.ts';

const node = (name: string): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });

test('the workload is made once; pods that ended, and pods of another edition of the probe, are made anew', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  t.teardown(() => { client.close(); });
  await client.create(resources.nodes, node('node1'));
  const ready = (pod: Pod): Pod => ({ ...pod, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } });
  // This cluster has no agent: the pods are ready because somebody says so.
  const stop = new AbortController();
  const kubelet = (async () => {
    while (!stop.signal.aborted) {
      for (const pod of (await client.list(resources.pods, { namespace: NAMESPACE })).items) if (pod.status === undefined) await client.update(resources.pods, ready(pod));
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  })();
  t.is(await ensureWorkload(client), 'made');
  t.is(await ensureWorkload(client), 'there already');
  const names = async (): Promise<readonly (string | undefined)[]> => (await client.list(resources.pods, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata?.annotations?.[EDITION]);
  t.deepEqual(await names(), [probeKey(), probeKey()]);
  const [old] = podObjects(['node1'], undefined, 'old edition');
  await client.delete(resources.pods, { namespace: NAMESPACE, name: old?.metadata?.name ?? '' });
  await client.create(resources.pods, ready(old!));
  t.is(await ensureWorkload(client), 'made');
  t.deepEqual(await names(), [probeKey(), probeKey()]);
  stop.abort();
  await kubelet;
});

test('a cluster without a Ready node is named as such', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  t.teardown(() => { client.close(); });
  await t.throwsAsync(ensureWorkload(client), { message: /no node is Ready; see: kubectl get nodes/ });
});
