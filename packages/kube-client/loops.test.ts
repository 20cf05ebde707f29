import test from 'ava';
import { EventRecorder, FakeApi, FakeClock, KubeClient, SyncRunner, WorkQueue, renewLease, resources, runLeaderElection, tryAcquireLease } from './index.ts';

const settle = async (): Promise<void> => { for (let n = 0; n < 20; n++) await Promise.resolve(); };

test('a runner runs at once, then keeps its minimum interval', async (t) => {
  const clock = new FakeClock();
  let runs = 0;
  const runner = new SyncRunner({ clock, minIntervalMs: 100, sync: () => { runs++; return Promise.resolve(); } });
  runner.trigger();
  runner.trigger();
  await settle();
  t.is(runs, 1);
  runner.trigger();
  await settle();
  t.is(runs, 1);
  clock.advance(100);
  await settle();
  t.is(runs, 2);
  await runner.stop();
});

test('a runner that fails tries again later and later, and is pending since the first trigger', async (t) => {
  const clock = new FakeClock(1000);
  const at: number[] = [];
  const runner = new SyncRunner({ clock, random: () => 0, retry: { initialMs: 100, maxMs: 300 }, sync: () => { at.push(clock.now()); return at.length < 5 ? Promise.reject(new Error('no')) : Promise.resolve(); } });
  runner.trigger();
  await settle();
  for (let n = 0; n < 12; n++) { clock.advance(100); await settle(); if (at.length === 3) t.is(runner.pendingSince, 1000); }
  t.deepEqual(at, [1000, 1100, 1300, 1600, 1900]);
  t.is(runner.pendingSince, undefined);
  await runner.stop();
});

test('a run that hangs is pending for a health check, and not for who waits for the next run', async (t) => {
  const clock = new FakeClock(500);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const runner = new SyncRunner({ clock, sync: () => promise });
  runner.trigger();
  await settle();
  clock.advance(10_000);
  t.is(runner.pendingSince, undefined);
  t.is(runner.unservedSince, 500);
  runner.trigger();
  t.is(runner.unservedSince, 500);
  resolve(undefined);
  await settle();
  t.is(runner.unservedSince, undefined);
  await runner.stop();
});

test('a runner runs again by itself after the resync time', async (t) => {
  const clock = new FakeClock();
  let runs = 0;
  const runner = new SyncRunner({ clock, resyncMs: 1000, sync: () => { runs++; return Promise.resolve(); } });
  runner.trigger();
  await settle();
  clock.advance(1000);
  await settle();
  t.is(runs, 2);
  await runner.stop();
});

test('a queue holds a key once, and once more when it was added while active', async (t) => {
  const seen: string[] = [];
  const queue: WorkQueue = new WorkQueue({ process: (key) => { seen.push(key); if (seen.length === 1) { queue.add('a'); queue.add('a'); } return Promise.resolve(); } });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  await queue.whenIdle();
  t.deepEqual(seen, ['a', 'b', 'a']);
  await queue.stop();
});

test('a key that fails comes back after its back-off and does not block others', async (t) => {
  const clock = new FakeClock();
  const seen: string[] = [];
  const queue = new WorkQueue({ clock, random: () => 0, retry: { initialMs: 10, maxMs: 100 }, process: (key) => { seen.push(key); return key === 'bad' && seen.length < 3 ? Promise.reject(new Error('no')) : Promise.resolve(); } });
  queue.add('bad');
  queue.add('good');
  await queue.whenIdle();
  t.deepEqual(seen, ['bad', 'good']);
  clock.advance(10);
  await queue.whenIdle();
  t.deepEqual(seen, ['bad', 'good', 'bad']);
  await queue.stop();
});

test('the same event said twice is one object with a count', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const recorder = new EventRecorder({ client, component: 'kubelet', host: 'n1' });
  for (let n = 0; n < 3; n++) recorder.record({ kind: 'Pod', namespace: 'd', name: 'p' }, 'Warning', 'Failed', 'no image');
  recorder.record({ kind: 'Node', name: 'n1' }, 'Normal', 'Starting', 'hello');
  await recorder.flush();
  const { items } = await client.list(resources.events);
  t.deepEqual(items.map((event) => [event.metadata.namespace, event.count, event.reason]), [['d', 3, 'Failed'], ['default', 1, 'Starting']]);
  client.close();
});

test('a lease is made, renewed, and taken over only when it expired', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  await renewLease({ client, clock, name: 'n1', holderIdentity: 'n1' });
  clock.advance(10_000);
  t.is((await renewLease({ client, clock, name: 'n1', holderIdentity: 'n1' })).spec?.renewTime, '2026-01-01T00:00:10.000000Z');
  t.true(await tryAcquireLease({ client, clock, name: 'l', holderIdentity: 'a' }));
  t.false(await tryAcquireLease({ client, clock, name: 'l', holderIdentity: 'b' }));
  clock.advance(16_000);
  t.true(await tryAcquireLease({ client, clock, name: 'l', holderIdentity: 'b' }));
  t.false(await tryAcquireLease({ client, clock, name: 'l', holderIdentity: 'a' }));
  client.close();
});

test('one of two candidates leads; when it is cut off it stops leading before another may begin, and the other begins', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const stop = new AbortController();
  const said: string[] = [];
  const cutOff = new Set<string>();
  let inFlight = 0;
  const through = <R>(name: string, call: () => Promise<R>): Promise<R> => {
    if (cutOff.has(name)) return Promise.reject(new Error('no way to the server'));
    inFlight++;
    return call().finally(() => inFlight--);
  };
  const candidate = (name: string): Promise<void> => runLeaderElection({
    client: {
      get: (...of) => through(name, () => client.get(...of)),
      create: (...of) => through(name, () => client.create(...of)),
      update: (...of) => through(name, () => client.update(...of)),
    },
    clock, name: 'controllers', holderIdentity: name, signal: stop.signal,
    lead: (signal) => new Promise((resolve) => {
      said.push(`${name} leads`);
      signal.addEventListener('abort', () => { said.push(`${name} stops`); resolve(); }, { once: true });
    }),
  });
  /** Advances the clock in small steps, and never while a request is on its way. */
  const until = async (what: string): Promise<void> => {
    const deadline = Date.now() + 10_000;
    while (!said.includes(what)) {
      if (Date.now() > deadline) throw new Error(`never: ${what}; ${said.join(', ')}`);
      if (inFlight === 0) clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const a = candidate('a');
  await until('a leads');
  const b = candidate('b');
  for (let n = 0; n < 40; n++) {
    while (inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    clock.advance(1000);
    await settle();
  }
  t.deepEqual(said, ['a leads']);
  cutOff.add('a');
  await until('b leads');
  t.deepEqual(said, ['a leads', 'a stops', 'b leads']);
  stop.abort();
  await Promise.all([a, b]);
  t.deepEqual(said.slice(3), ['b stops']);
  client.close();
});
