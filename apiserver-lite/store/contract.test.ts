import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { EtcdStore } from './etcd-store.ts';
import { SqliteStore } from './sqlite-store.ts';
import { StoreError } from './store.ts';
import type { Store, StoreEvent } from './store.ts';

// The same sentences hold for every backend.
const backends: Record<string, (t: ExecutionContext) => () => Promise<Store>> = {
  sqlite: (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'apiserver-store-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    return () => Promise.resolve(new SqliteStore(join(directory, 'store.db')));
  },
};

/** A private etcd for this file, started on first use. */
const etcdPath = ['/usr/bin/etcd', '/usr/local/bin/etcd'].find((path) => existsSync(path));
let etcd: Promise<string> | undefined;
let etcdChild: ChildProcess | undefined;
const etcdDirectory = mkdtempSync(join(tmpdir(), 'apiserver-etcd-'));

async function startEtcd(path: string): Promise<string> {
  const port = 20000 + (process.pid % 20000);
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 20000}`];
  etcdChild = spawn(path, ['--data-dir', etcdDirectory, '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`, '--log-level', 'error'], { stdio: 'ignore' });
  const probe = new EtcdStore({ hosts: [client] });
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await probe.currentRevision();
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
  }
  await probe.close();
  return client;
}

test.after.always(async () => {
  if (etcdChild !== undefined && etcdChild.exitCode === null) {
    const gone = once(etcdChild, 'exit');
    etcdChild.kill('SIGKILL');
    await gone;
  }
  rmSync(etcdDirectory, { recursive: true, force: true });
});

if (etcdPath !== undefined) {
  let count = 0;
  backends['etcd'] = () => {
    const root = `/test${count++}`;
    return async () => new EtcdStore({ hosts: [await (etcd ??= startEtcd(etcdPath))], root });
  };
}
// Says in the report that one backend was left out.
const etcdIsTried = etcdPath === undefined ? test.skip : test;
etcdIsTried('the contract holds for etcd too (skipped: no etcd on this machine)', (t) => t.true('etcd' in backends));

const eventually = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('condition not met in time');
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
};

for (const [name, backend] of Object.entries(backends)) {
  const contract = (title: string, body: (t: ExecutionContext, store: Store, open: () => Promise<Store>) => Promise<void>): void => {
    // Serial: etcd counts revisions for all tests together.
    test.serial(`${name}: ${title}`, async (t) => {
      const open = backend(t);
      const store = await open();
      await body(t, store, open);
      await store.close();
    });
  };

  contract('a committed write is read back with its revision', async (t, store) => {
    const revision = await store.commit([{ key: '/objects/a', put: 'one', expectedRevision: 0 }]);
    const { entries, more } = await store.list('/objects/');
    t.deepEqual(entries, [{ key: '/objects/a', value: 'one', createRevision: revision, revision }]);
    t.false(more);
    t.is(await store.currentRevision(), revision);
  });

  contract('revisions grow with every commit and all writes of a commit share one', async (t, store) => {
    const first = await store.commit([{ key: '/a', put: '1' }, { key: '/b', put: '1' }]);
    const second = await store.commit([{ key: '/a', put: '2' }]);
    t.true(second > first);
    const { entries } = await store.list('/');
    t.deepEqual(entries.map(({ key, revision, createRevision }) => ({ key, revision, createRevision })), [
      { key: '/a', revision: second, createRevision: first }, { key: '/b', revision: first, createRevision: first },
    ]);
  });

  contract('a failed expectation rejects the whole commit, names the key and changes nothing', async (t, store) => {
    await store.commit([{ key: '/a', put: '1' }]);
    const error = await t.throwsAsync(store.commit([{ key: '/b', put: '1' }, { key: '/a', put: '2', expectedRevision: 0 }]), { instanceOf: StoreError });
    t.is(error.code, 'Conflict');
    t.is(error.key, '/a');
    t.deepEqual((await store.list('/')).entries.map(({ key, value }) => [key, value]), [['/a', '1']]);
  });

  contract('of many writers that expect the same revision exactly one wins', async (t, store) => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => store.commit([{ key: '/a', put: String(index), expectedRevision: 0 }])));
    t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  contract('a list at an old revision shows the state of that time, also for deleted keys', async (t, store) => {
    const first = await store.commit([{ key: '/a', put: '1' }]);
    await store.commit([{ key: '/a', put: '2' }, { key: '/b', put: '1' }]);
    await store.commit([{ key: '/a', delete: true }]);
    t.deepEqual((await store.list('/', { revision: first })).entries.map(({ value }) => value), ['1']);
    t.deepEqual((await store.list('/')).entries.map(({ key }) => key), ['/b']);
  });

  contract('pages follow each other without gap or repetition', async (t, store) => {
    await store.commit(Array.from({ length: 7 }, (_, index) => ({ key: `/k${index}`, put: 'x' })));
    const seen: string[] = [];
    let after: string | undefined;
    for (let more = true; more;) {
      const page = await store.list('/', { limit: 3, ...(after !== undefined && { after }) });
      seen.push(...page.entries.map(({ key }) => key));
      after = seen.at(-1);
      more = page.more;
    }
    t.deepEqual(seen, ['/k0', '/k1', '/k2', '/k3', '/k4', '/k5', '/k6']);
  });

  contract('a watch first delivers what it missed, then what comes, in order and only under its prefix', async (t, store) => {
    const first = await store.commit([{ key: '/x/a', put: '1' }]);
    await store.commit([{ key: '/x/a', put: '2' }, { key: '/y/a', put: '1' }]);
    const seen: StoreEvent[] = [];
    const stream = store.watch('/x/', first, { onEvents: (events) => void seen.push(...events), onEnd: (error) => t.fail(error.message) });
    await store.commit([{ key: '/x/a', delete: true }]);
    await eventually(() => seen.length === 2);
    t.deepEqual(seen.map(({ type, value, previous }) => [type, value, previous]), [['put', '2', '1'], ['delete', '2', '2']]);
    stream.close();
    await store.commit([{ key: '/x/b', put: '1' }]);
    t.is(seen.length, 2);
  });

  contract('compaction forgets history, keeps the state, and tells late readers and watchers', async (t, store) => {
    const first = await store.commit([{ key: '/a', put: '1' }]);
    await store.commit([{ key: '/b', put: '1' }]);
    const last = await store.commit([{ key: '/a', put: '2' }, { key: '/b', delete: true }]);
    await store.compact(last);
    t.deepEqual((await store.list('/')).entries.map(({ key, value }) => [key, value]), [['/a', '2']]);
    await t.throwsAsync(store.list('/', { revision: first }), { instanceOf: StoreError, code: 'Compacted' });
    let code = '';
    store.watch('/', first, { onEvents: () => undefined, onEnd: (error) => void (code = error.code) });
    await eventually(() => code === 'Compacted');
    t.deepEqual((await store.list('/', { revision: last })).entries.length, 1);
  });

  contract('state and revision survive closing and opening again', async (t, store, open) => {
    const revision = await store.commit([{ key: '/a', put: '1' }, { key: '/b', put: '1' }]);
    await store.commit([{ key: '/b', delete: true }]);
    await store.close();
    const again = await open();
    t.deepEqual((await again.list('/')).entries.map(({ key, value, createRevision }) => [key, value, createRevision]), [['/a', '1', revision]]);
    t.true(await again.commit([{ key: '/c', put: '1' }]) > revision + 1);
    await again.close();
  });
}
