import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { eventually } from '../helpers/poll.ts';
import { dig, TestServer } from './apiserver-client.ts';
import type { Reply } from './apiserver-client.ts';

// Two API servers over one etcd: what one writes, the other shows, and never do both give away the same thing.
const etcdPath = ['/usr/bin/etcd', '/usr/local/bin/etcd'].find((path) => existsSync(path));
const directory = etcdPath === undefined ? '' : mkdtempSync(join(tmpdir(), 'apiserver-two-'));
const port = 20000 + (process.pid % 20000);
const client = `http://127.0.0.1:${port}`;
const peer = `http://127.0.0.1:${port + 20000}`;
let etcd: ChildProcess | undefined;
let one: TestServer;
let two: TestServer;

function startEtcd(): void {
  etcd = spawn(etcdPath ?? '', ['--data-dir', join(directory, 'etcd'), '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer,
    '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`, '--log-level', 'error'], { stdio: 'ignore' });
}

async function killEtcd(): Promise<void> {
  if (etcd === undefined || etcd.exitCode !== null || etcd.signalCode !== null) return;
  const gone = once(etcd, 'exit');
  etcd.kill('SIGKILL');
  await gone;
}

const run = etcdPath === undefined ? test.skip : test.serial;
const maps = '/api/v1/namespaces/default/configmaps';
const services = '/api/v1/namespaces/default/services';

test.before(async () => {
  if (etcdPath === undefined) return;
  startEtcd();
  one = await eventually('the first server', () => TestServer.start({ etcdServers: [client], dataDir: join(directory, 'server') }));
  two = await TestServer.start({ etcdServers: [client], dataDir: join(directory, 'server') });
});

test.after.always(async () => {
  if (etcdPath !== undefined) {
    await Promise.all([one.stop(), two.stop()]);
    await killEtcd();
  }
  rmSync(directory, { recursive: true, force: true });
});

run('what is written through one server is read through the other at once', async (t) => {
  for (let index = 0; index < 10; index += 1) {
    t.is((await one.call('POST', maps, { metadata: { name: `shared-${index}` } })).status, 201);
    t.is((await two.call('GET', `${maps}/shared-${index}`)).status, 200);
  }
});

run('a watch on one server sees the writes of the other', async (t) => {
  const { body } = await two.call('GET', maps);
  const watch = await two.watch(`${maps}?watch=true&resourceVersion=${String(body.metadata['resourceVersion'])}`);
  await one.call('POST', maps, { metadata: { name: 'seen' } });
  await one.call('DELETE', `${maps}/seen`);
  t.deepEqual([(await watch.next()).type, (await watch.next()).type], ['ADDED', 'DELETED']);
  watch.stop();
});

run('patches through both servers at once all arrive', async (t) => {
  await one.call('POST', maps, { metadata: { name: 'busy' } });
  const replies = await Promise.all(Array.from({ length: 8 }, (_, index): Promise<Reply> =>
    (index % 2 === 0 ? one : two).call('PATCH', `${maps}/busy`, { data: { [`k${index}`]: 'x' } }, { 'content-type': 'application/merge-patch+json' })));
  t.deepEqual(replies.map(({ status, text }) => (status === 200 ? '' : text)), replies.map(() => ''));
  t.is(Object.keys(dig((await two.call('GET', `${maps}/busy`)).body, 'data') as object).length, 8);
});

run('of two Services that want one node port through two servers exactly one gets it', async (t) => {
  const service = (name: string): object => ({ metadata: { name }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 31999 }] } });
  const codes = (await Promise.all([one.call('POST', services, service('left')), two.call('POST', services, service('right'))])).map(({ status }) => status).sort();
  t.deepEqual(codes, [201, 422]);
});

run('etcd killed and started again: nothing acknowledged is lost, both servers go on', async (t) => {
  await one.call('POST', maps, { metadata: { name: 'before' } });
  await killEtcd();
  startEtcd();
  await eventually('a write', async () => (await one.call('POST', maps, { metadata: { generateName: 'after-' } })).status === 201);
  t.is((await one.call('GET', `${maps}/before`)).status, 200);
  await one.call('POST', maps, { metadata: { name: 'fresh' } });
  await eventually('the other server to see it', async () => (await two.call('GET', `${maps}/fresh`)).status === 200);
});
