import { access } from 'node:fs/promises';
import test from 'ava';
import type { Pod, PodStatus } from '@podwire/kube-client';
import { aContainer, aPod } from '../testing/fixtures.ts';
import { WorkerBench } from '../testing/worker-bench.ts';
import { labels } from '../labels.ts';

async function until(what: string, look: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

const phase = (bench: WorkerBench): string => (bench.status as PodStatus).phase ?? '';
const waiting = (bench: WorkerBench): string => (bench.status as PodStatus).containerStatuses?.[0]?.state?.waiting?.reason ?? '';
const deletion = (pod: Pod, seconds = 30): Pod => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date(Date.now() + seconds * 1000).toISOString(), deletionGracePeriodSeconds: seconds } });

test('a pod gets its sandbox, its network, its container, and is Running', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  t.deepEqual(bench.made.map((call) => call.replace(/k8s_([^_]+)_.*/u, '$1')), ['create POD', 'start POD', 'create main', 'start main']);
  t.is(bench.attached.length, 1);
  const sandbox = bench.runtime.byName('POD');
  t.deepEqual(bench.runtime.spec(bench.runtime.byName('main')?.id ?? '')?.network, { container: sandbox?.id });
  t.is((bench.status as PodStatus).podIP, '10.244.1.5');
});

test('an agent that was killed adopts what runs and makes nothing twice', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  await bench.die();
  const before = bench.made.length;
  bench.statuses.length = 0;
  bench.work(aPod());
  await until('Running again', () => phase(bench) === 'Running');
  t.is(bench.made.length, before);
  t.is(bench.attached.length, 1);
});

test('an agent killed before the network was complete attaches it anew, in the same sandbox', async (t) => {
  await using bench = await WorkerBench.create();
  const attach = bench.deps.network.attach.bind(bench.deps.network);
  let entered = false;
  Object.assign(bench.deps.network, { attach: async () => { entered = true; return new Promise((_resolve, reject) => { setTimeout(() => reject(new Error('killed')), 20); }); } });
  bench.work(aPod());
  await until('attach', () => entered);
  await bench.die();
  Object.assign(bench.deps.network, { attach });
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  t.is(bench.made.filter((call) => call.includes('k8s_POD')).length, 2);
});

test('a container that ends is restarted with the next attempt, then held back', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  bench.runtime.exit(bench.runtime.byName('main')?.id ?? '', 1);
  await until('restart', () => bench.runtime.byName('main')?.labels[labels.restartCount] === '1' && bench.runtime.byName('main')?.state === 'running');
  bench.runtime.exit(bench.runtime.byName('main')?.id ?? '', 1);
  await until('CrashLoopBackOff', () => waiting(bench) === 'CrashLoopBackOff');
  t.is((bench.status as PodStatus).containerStatuses?.[0]?.restartCount, 1);
  t.true(bench.events.some((event) => event.startsWith('BackOff: Back-off restarting failed container main')));
});

test('an image that cannot be pulled says so in status and Events', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod({ containers: [aContainer('main', { image: 'nowhere/none:1' })] }));
  await until('ErrImagePull', () => waiting(bench) === 'ErrImagePull' || waiting(bench) === 'ImagePullBackOff');
  await until('ImagePullBackOff', () => waiting(bench) === 'ImagePullBackOff');
  t.true(bench.events.some((event) => event.startsWith('Failed: Failed to pull image "nowhere/none:1"') && event.includes('manifest for nowhere/none:1 not found')));
  t.is(bench.runtime.byName('main'), undefined);
});

test('a missing ConfigMap holds the container back until it is there', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod({ containers: [aContainer('main', { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a' } } }] })] }));
  await until('CreateContainerConfigError', () => waiting(bench) === 'CreateContainerConfigError');
  bench.configMaps.set('cm', { data: { a: '1' } });
  await until('Running', () => phase(bench) === 'Running');
  t.true(bench.runtime.spec(bench.runtime.byName('main')?.id ?? '')?.env.includes('A=1'));
});

test('a deleted pod is stopped by its stop signal, cleared away, and then removed from the API', async (t) => {
  await using bench = await WorkerBench.create();
  const pod = aPod();
  const worker = bench.work(pod);
  await until('Running', () => phase(bench) === 'Running');
  const sandbox = bench.runtime.byName('POD')?.id;
  worker.update(deletion(pod));
  await until('deleted', () => bench.deleted.length === 1);
  const calls = bench.runtime.calls.filter((call) => call.startsWith('kill') || call.startsWith('remove') || call.startsWith('endpoints')).map((call) => call.replace(/k8s_([^_]+)_\S*/u, '$1'));
  t.deepEqual(calls, ['endpoints left', 'kill main SIGTERM', 'remove POD', 'remove main']);
  t.deepEqual(bench.detached, [sandbox]);
  t.deepEqual(bench.runtime.all, []);
  await t.throwsAsync(access(bench.deps.volumes.podDir('uid-1')), { code: 'ENOENT' });
});

test('preStop runs before the stop signal, and SIGKILL ends what ignores it', async (t) => {
  await using bench = await WorkerBench.create();
  bench.runtime.heeds = (_container, signal) => signal === 'SIGKILL';
  const pod = aPod({ containers: [aContainer('main', { lifecycle: { preStop: { exec: { command: ['bye'] } } } })] });
  const worker = bench.work(pod);
  await until('Running', () => phase(bench) === 'Running');
  worker.update(deletion(pod, 1));
  await until('deleted', () => bench.deleted.length === 1);
  const calls = bench.runtime.calls.filter((call) => call.startsWith('kill') || call.startsWith('exec')).map((call) => call.replace(/k8s_([^_]+)_\S*/u, '$1'));
  t.deepEqual(calls, ['exec bye', 'kill main SIGTERM', 'kill main SIGKILL']);
});

test('a second deletion with a shorter grace period cuts the first one short', async (t) => {
  await using bench = await WorkerBench.create();
  bench.runtime.heeds = () => false;
  const pod = aPod();
  const worker = bench.work(pod);
  await until('Running', () => phase(bench) === 'Running');
  worker.update(deletion(pod, 600));
  await until('SIGTERM', () => bench.runtime.calls.some((call) => call.endsWith('SIGTERM')));
  worker.update(deletion(pod, 0));
  await until('deleted', () => bench.deleted.length === 1);
  t.true(bench.runtime.calls.some((call) => call.endsWith('SIGKILL')));
});

test('a pod deleted while its image is pulled goes at once', async (t) => {
  await using bench = await WorkerBench.create();
  Object.assign(bench.runtime.images, { pull: (_reference: string, _auth: unknown, signal: AbortSignal) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(new Error('stopped'))); }) });
  const pod = aPod({ containers: [aContainer('main', { image: 'big:1' })] });
  const worker = bench.work(pod);
  await until('pulling', () => bench.events.some((event) => event.startsWith('Pulling')));
  worker.update(deletion(pod));
  await until('deleted', () => bench.deleted.length === 1);
  t.deepEqual(bench.runtime.all, []);
});

test('init containers run in order, and a sidecar stays beside the main container', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod({ initContainers: [aContainer('i1'), aContainer('side', { restartPolicy: 'Always' }), aContainer('i2')] }));
  await until('i1', () => bench.runtime.byName('i1')?.state === 'running');
  t.is(bench.runtime.byName('side'), undefined);
  bench.runtime.exit(bench.runtime.byName('i1')?.id ?? '', 0);
  await until('i2', () => bench.runtime.byName('i2')?.state === 'running');
  t.is(bench.runtime.byName('side')?.state, 'running');
  t.is(bench.runtime.byName('main'), undefined);
  bench.runtime.exit(bench.runtime.byName('i2')?.id ?? '', 0);
  await until('Running', () => phase(bench) === 'Running');
});

test('a liveness probe that fails restarts the container', async (t) => {
  await using bench = await WorkerBench.create();
  bench.runtime.onExec = (container) => ({ exitCode: container.labels[labels.restartCount] === '0' ? 1 : 0, output: 'ill' });
  bench.work(aPod({ containers: [aContainer('main', { livenessProbe: { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 1 } })] }));
  await until('restart', () => bench.runtime.byName('main')?.labels[labels.restartCount] === '1' && bench.runtime.byName('main')?.state === 'running');
  t.true(bench.events.includes('Unhealthy: Liveness probe failed: ill'));
});

test('a readiness probe decides about Ready', async (t) => {
  await using bench = await WorkerBench.create();
  let ok = false;
  bench.runtime.onExec = () => ({ exitCode: ok ? 0 : 1, output: '' });
  bench.work(aPod({ containers: [aContainer('main', { readinessProbe: { exec: { command: ['check'] }, periodSeconds: 1 } })] }));
  const ready = (): boolean => (bench.status as PodStatus).containerStatuses?.[0]?.ready === true;
  await until('Running', () => phase(bench) === 'Running');
  t.false(ready());
  ok = true;
  await until('Ready', ready);
});

test('when the sandbox dies everything starts anew in a new one', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  const old = bench.runtime.byName('POD')?.id ?? '';
  bench.runtime.exit(old, 137);
  await until('new sandbox', () => bench.attached.length === 2 && bench.runtime.byName('main')?.labels[labels.restartCount] === '1');
  t.deepEqual(bench.detached, [old]);
  t.is(bench.runtime.byName('POD')?.state, 'running');
});

test('while the engine is away nothing is lost, and the pod goes on when it is back', async (t) => {
  await using bench = await WorkerBench.create();
  bench.runtime.isUp = false;
  const worker = bench.work(aPod());
  await until('a call', () => bench.runtime.calls.length > 0);
  bench.runtime.isUp = true;
  worker.wake();
  await until('Running', () => phase(bench) === 'Running');
  t.false(bench.events.some((event) => event.startsWith('Failed')));
});

test('an orphan is cleared away without a word to the API', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod());
  await until('Running', () => phase(bench) === 'Running');
  await bench.die();
  bench.statuses.length = 0;
  bench.work(deletion(aPod({ containers: [] }), 1), true);
  await until('gone', () => bench.runtime.all.length === 0);
  t.deepEqual(bench.statuses, []);
  t.deepEqual(bench.deleted, []);
});

test('a pod that runs longer than its deadline ends as DeadlineExceeded', async (t) => {
  await using bench = await WorkerBench.create();
  bench.work(aPod({ activeDeadlineSeconds: 1 }));
  await until('Failed', () => phase(bench) === 'Failed');
  t.is((bench.status as PodStatus).reason, 'DeadlineExceeded');
  await until('stopped', () => bench.runtime.byName('main')?.state !== 'running');
  t.deepEqual(bench.deleted, []);
});

test('an agent that stops does not wait for the grace period of a pod that is ending; the next one goes on', async (t) => {
  await using bench = await WorkerBench.create();
  bench.runtime.heeds = () => false;
  const pod = aPod();
  const worker = bench.work(pod);
  await until('Running', () => phase(bench) === 'Running');
  worker.update(deletion(pod, 3600));
  await until('told to stop', () => bench.runtime.calls.some((call) => call.startsWith('kill ')));
  await bench.die();
  t.is(bench.runtime.byName('main')?.state, 'running');
  bench.work(deletion(pod, 1));
  await until('gone', () => bench.deleted.length === 1);
});
