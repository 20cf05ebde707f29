// The socket itself: subscriptions that sleep, lost messages that are reported, dumps that change underneath, namespaces that do not leak.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import {
  addLink, createNetns, currentNetns, deleteLink, deleteLinkGroup, deleteNetns, listLinks, NETLINK_ROUTE, NetlinkError, NetlinkSocket, NetlinkWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, openRoute, parseLink, RTNLGRP_LINK, setLink, subscribe,
  unshareNetns, withNetns,
} from '../../packages/netlink/index.ts';
import { watchSocket } from '../../packages/netlink/watcher.ts';

unshareNetns();
const rt = openRoute();
const entry = new URL('../../packages/netlink/index.ts', import.meta.url).href;
test.after.always(() => rt.close());
const until = async (what: string, check: () => boolean): Promise<void> => {
  for (const deadline = Date.now() + 10_000; !check();) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
};

test.serial('a subscription hears what happens after the call and nothing after its end', async (t) => {
  const stop = new AbortController();
  const heard: string[] = [];
  subscribe(NETLINK_ROUTE, [RTNLGRP_LINK], (message) => { heard.push(`${message.type} ${parseLink(message).name}`); }, stop.signal);
  addLink(rt, { name: 'br1', kind: 'bridge' });
  deleteLink(rt, 'br1');
  await until('two events', () => heard.length >= 2);
  t.deepEqual(heard, ['16 br1', '17 br1']);
  stop.abort();
  addLink(rt, { name: 'br2', kind: 'bridge' });
  deleteLink(rt, 'br2');
  await new Promise((resolve) => { setImmediate(resolve); });
  t.is(heard.length, 2);
  t.throws(() => subscribe(NETLINK_ROUTE, [RTNLGRP_LINK], () => undefined, stop.signal), { name: 'AbortError' });
});

test.serial('one thread serves subscriptions in several namespaces', async (t) => {
  const stop = new AbortController();
  const heard: string[] = [];
  const names = [1, 2, 3].map((n) => `nlt-${process.pid}-${n}`);
  try {
    for (const name of names) {
      const netns = createNetns(name);
      subscribe(NETLINK_ROUTE, [RTNLGRP_LINK], (message) => { heard.push(`${name} ${parseLink(message).name}`); }, stop.signal, { netns });
      using there = openRoute({ netns });
      addLink(there, { name: `br-${name.slice(-1)}`, kind: 'bridge' });
    }
    await until('three events', () => heard.length >= 3);
    t.deepEqual(heard.toSorted(), names.map((name) => `${name} br-${name.slice(-1)}`));
  } finally {
    stop.abort();
    for (const name of names) deleteNetns(name);
  }
});

test.serial('an idle subscription makes no system calls', async (t) => {
  const stop = new AbortController();
  let heard = 0;
  subscribe(NETLINK_ROUTE, [RTNLGRP_LINK], () => { heard += 1; }, stop.signal);
  addLink(rt, { name: 'idle0', kind: 'bridge' });
  await until('the thread is at work', () => heard > 0);
  deleteLink(rt, 'idle0');
  await until('the thread is idle again', () => heard > 1);
  const poller = readdirSync('/proc/self/task').find((task) => readFileSync(`/proc/self/task/${task}/syscall`, 'utf8').startsWith(process.arch === 'arm64' ? '73 ' : '7 '));
  t.truthy(poller, 'a thread of this process is inside poll(2)');
  const switches = (): string => /voluntary_ctxt_switches:\s*(\d+)/.exec(readFileSync(`/proc/self/task/${poller ?? ''}/status`, 'utf8'))?.[1] ?? '';
  const before = switches();
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  t.is(switches(), before);
  stop.abort();
});

test.serial('lost events are reported as ENOBUFS and the subscription goes on', async (t) => {
  const stop = new AbortController();
  const errors: NetlinkError[] = [];
  let heard = 0;
  // The buffer overruns while nobody reads; then the socket is handed to the reader.
  const socket = NetlinkSocket.open(NETLINK_ROUTE, { groups: [RTNLGRP_LINK], receiveBufferBytes: 2304 });
  for (let n = 0; n < 20; n += 1) addLink(rt, { name: `m${n}`, kind: 'veth', group: 99, peer: { name: `n${n}`, group: 99 } });
  deleteLinkGroup(rt, 99);
  watchSocket(socket, { onMessage: () => { heard += 1; }, onOverrun: (error) => { errors.push(error); } }, stop.signal);
  await until('ENOBUFS', () => errors.length > 0);
  t.is(errors[0]?.code, 'ENOBUFS');
  const before = heard;
  addLink(rt, { name: 'after0', kind: 'bridge' });
  await until('an event after the loss', () => heard > before);
  deleteLink(rt, 'after0');
  stop.abort();
});

test.serial('a process with a subscription exits when it is told to, and by itself when the subscription ends', (t) => {
  const run = (code: string): number | null => spawnSync(process.execPath, ['--input-type=module', '-e', `import { subscribe } from '${entry}'; const stop = new AbortController(); subscribe(0, [1], () => undefined, stop.signal); ${code}`], { timeout: 20_000 }).status;
  t.is(run('setTimeout(() => process.exit(3), 50);'), 3);
  t.is(run('process.exit(4);'), 4);
  t.is(run('setTimeout(() => stop.abort(), 50);'), 0);
  t.is(run('setTimeout(() => { throw new Error("x"); }, 50);'), 1);
});

test.serial('a dump that changes while it is read is repeated: what stays is always in it, once', async (t) => {
  for (let n = 0; n < 120; n += 1) addLink(rt, { name: `s${n}a`, kind: 'veth', group: 7, peer: { name: `s${n}b`, group: 7 } });
  const churn = new Worker(`
    const { parentPort } = require('node:worker_threads');
    import('${entry}').then(({ openRoute, addLink, deleteLink }) => {
      const rt = openRoute();
      parentPort.postMessage('ready');
      const stop = Date.now() + 60000;
      let on = true;
      parentPort.on('message', () => { on = false; });
      const turn = () => { addLink(rt, { name: 'churn0', kind: 'bridge' }); deleteLink(rt, 'churn0'); if (on && Date.now() < stop) setImmediate(turn); else { rt.close(); parentPort.close(); } };
      turn();
    });`, { eval: true });
  await new Promise((resolve) => { churn.once('message', resolve); });
  let interrupted = 0;
  using raw = NetlinkSocket.open(NETLINK_ROUTE);
  for (let round = 0; round < 40; round += 1) {
    let names: string[];
    try {
      names = listLinks(raw).map(({ name }) => name);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== 'EINTR') throw error;
      interrupted += 1;
      continue;
    }
    t.is(names.filter((name) => name.startsWith('s')).length, 240);
    t.is(new Set(names).size, names.length);
  }
  t.log(`dumps given up: ${interrupted} of 40`);
  t.true(interrupted < 40);
  churn.postMessage('stop');
  await new Promise((resolve) => { churn.once('exit', resolve); });
});

test.serial('answers of an abandoned request are not taken for those of the next', (t) => {
  using socket = NetlinkSocket.open(NETLINK_ROUTE);
  const writer = new NetlinkWriter();
  const mark = writer.beginMessage(18, NLM_F_REQUEST | NLM_F_DUMP, 9999);
  writer.raw(Buffer.alloc(16)).endMessage(mark);
  socket.send(writer.bytes()); // nobody reads this dump
  t.true(listLinks(socket).some(({ name }) => name === 'lo'));
  t.throws(() => { setLink(socket, 999_999, { up: true }); }, { instanceOf: NetlinkError });
});

test.serial('a batch returns every acknowledgement and every error by sequence number', (t) => {
  const writer = new NetlinkWriter();
  const message = (seq: number, body: (w: NetlinkWriter) => void): void => {
    const mark = writer.beginMessage(16, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, seq);
    body(writer.raw(Buffer.alloc(16)));
    writer.endMessage(mark);
  };
  message(101, (w) => { w.string(3, 'tx0').nested(18, (info) => { info.string(1, 'bridge'); }); });
  message(102, (w) => { w.string(3, 'tx1').nested(18, (info) => { info.string(1, 'nosuchkind'); }); });
  const report = rt.transact(writer.bytes(), 'batch');
  t.deepEqual(report.acks.map(({ seq }) => seq), [101]);
  t.deepEqual(report.errors.map(({ seq, errno, kernelText }) => [seq, errno, kernelText]), [[102, 95, 'Unknown device type']]);
  t.false(report.isOverrun);
  deleteLink(rt, 'tx0');
});

test.serial('a receive that gets nothing ends with ETIMEDOUT', (t) => {
  using socket = NetlinkSocket.open(NETLINK_ROUTE, { timeoutMs: 10 });
  t.is(t.throws(() => socket.receive(), { instanceOf: NetlinkError }).code, 'ETIMEDOUT');
  t.is(socket.tryReceive(), undefined);
  socket.close();
  t.throws(() => socket.receive(), { message: /closed/ });
});

test.serial('the thread comes back from a namespace, also after an error, and no descriptor stays open', async (t) => {
  const home = currentNetns();
  const name = `nlt-${process.pid}-ns`;
  const path = createNetns(name);
  try {
    t.not(withNetns(path, () => currentNetns()), home);
    t.is(withNetns(path, () => currentNetns()), currentNetns(path));
    const pool = await readlink('/proc/thread-self/ns/net');
    t.throws(() => withNetns(path, () => { throw new Error('inside'); }), { message: 'inside' });
    t.throws(() => withNetns(path, async () => Promise.resolve(1)), { message: /asynchronous/ });
    t.throws(() => withNetns('/run/netns/nothere', () => 1), { code: 'ENOENT' });
    t.is(currentNetns(), home);
    const fds = readdirSync('/proc/self/fd').length;
    for (let n = 0; n < 200; n += 1) {
      using there = openRoute({ netns: path });
      t.is(listLinks(there).length, 1);
    }
    t.is(readdirSync('/proc/self/fd').length, fds);
    t.is(await withNetns(path, () => ({ promise: readlink('/proc/thread-self/ns/net') })).promise, pool, 'pool threads stay where they were');
    t.is(readlinkSync('/proc/thread-self/ns/net'), `net:[${home}]`);
    t.throws(() => createNetns(name), { instanceOf: NetlinkError, message: /EEXIST/ });
    t.throws(() => createNetns('a/b'), { message: /cannot name a network namespace/ });
  } finally {
    deleteNetns(name);
  }
  t.notThrows(() => { deleteNetns(name); });
});
