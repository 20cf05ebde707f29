// What nftables-js programs, as the real `nft` and `conntrack` see it, with packets over the loopback of a private namespace.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Conntrack, KernelNft, Transaction, cidrRange, defineMap, defineSet, expr, runNft, watchTrace } from 'nftables-js';
import type { ConntrackEvent, TraceEvent } from 'nftables-js';

unshareNetns();
execFileSync('/usr/sbin/ip', ['link', 'set', 'lo', 'up']);

const table = { family: 'inet', name: 'shown' } as const;

/** Polls, because the kernel's messages arrive when they arrive; never a fixed sleep. */
async function until<T>(what: string, find: () => T | undefined): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`${what} did not happen within 10 s`);
    await delay(10);
  }
}

async function connectOnce(port: number, host = '127.0.0.1'): Promise<void> {
  const socket = createConnection({ port, host });
  await once(socket, 'connect');
  socket.end();
  await once(socket.resume(), 'close');
}

test.serial('nft lists exactly what was programmed', async (t) => {
  using nft = KernelNft.open();
  await nft.loadRuleset(`
table inet shown {
  map service { type ipv4_addr . inet_proto . inet_service : mark; }
  map service6 { type ipv6_addr . inet_proto . inet_service : mark; }
  map endpoint { type mark : ipv4_addr . inet_service; counter; }
  map slot { typeof ct mark . numgen random mod 2 : ct mark; }
  map pickers { type mark : verdict; }
  map recent { type ipv4_addr . mark : mark; size 100; flags timeout; }
  set nets { type ipv4_addr; flags interval; }
  set ranges { type ipv4_addr . inet_service; flags interval; }
  set macs { type ether_addr; }
  set links { type ifname; }
}`);
  const transaction = new Transaction(table)
    .addElement(defineMap(table, 'service', ['ipv4_addr', 'inet_proto', 'inet_service'], ['mark']), ['10.96.0.10', 'tcp', 80], 0x80000001)
    .addElement(defineMap(table, 'service6', ['ipv6_addr', 'inet_proto', 'inet_service'], ['mark']), ['fd00:96::10', 'udp', 53], 0x80000002)
    .addElement(defineMap(table, 'endpoint', ['mark'], ['ipv4_addr', 'inet_service']), 0x10001, ['10.244.1.2', 8080])
    .addElement(defineMap(table, 'slot', ['mark', 'mark'], ['mark']), [0x80000001, 1], 0x10001)
    .addElement(defineMap(table, 'pickers', ['mark'], 'verdict'), 4, { verdict: 'jump', chain: 'lb-4' })
    .addElement(defineMap(table, 'recent', ['ipv4_addr', 'mark'], ['mark']), ['10.0.0.9', 7], 8, { timeoutMs: 3_600_000 })
    .addRange(defineSet(table, 'nets', ['ipv4_addr'], { interval: true }), cidrRange('10.244.0.0/16'))
    .addRange(defineSet(table, 'nets', ['ipv4_addr'], { interval: true }), cidrRange('240.0.0.0/4'))
    .addElement(defineSet(table, 'ranges', ['ipv4_addr', 'inet_service'], { interval: true }), ['10.0.0.0', 1000], undefined, { keyEnd: ['10.0.0.255', 2000] })
    .addElement(defineSet(table, 'macs', ['ether_addr']), '02:00:00:00:00:01')
    .addElement(defineSet(table, 'links', ['ifname']), 'eth0')
    .addChain('lb-4')
    .addRule('lb-4', [expr.ctLoad('mark', 0), expr.numgen('random', 4, 1), expr.lookup('slot', 0, 0), expr.ctSet('mark', 0)])
    .addChain('keep-4')
    .addRule('keep-4', [
      expr.ctLoad('mark', 0), expr.metaSet('mark', 0), expr.payload('network', 12, 4, 0), expr.metaLoad('mark', 1), expr.ctLoad('mark', 2),
      expr.dynset('update', 'recent', 0, 2), expr.counter(), expr.verdict({ verdict: 'return' }),
    ]);
  await nft.commit(transaction);
  const listed = (await runNft(['list', 'table', 'inet', 'shown'], '')).replace(/expires \w+/, 'expires SOON').replaceAll('\t', '  ');
  t.deepEqual(listed.split('\n').filter((line) => !/^\s*(type|typeof|flags|size|counter|\}|)$|^\s*(type|typeof|flags|size) /.test(line)).map((line) => line.trim()), [
    'table inet shown {',
    'map service {',
    'elements = { 10.96.0.10 . tcp . 80 : 0x80000001 }',
    'map service6 {',
    'elements = { fd00:96::10 . udp . 53 : 0x80000002 }',
    'map endpoint {',
    'elements = { 0x00010001 counter packets 0 bytes 0 : 10.244.1.2 . 8080 }',
    'map slot {',
    'elements = { 0x80000001 . 1 : 0x00010001 }',
    'map pickers {',
    'elements = { 0x00000004 : jump lb-4 }',
    'map recent {',
    'elements = { 10.0.0.9 . 0x00000007 timeout 1h expires SOON : 0x00000008 }',
    'set nets {',
    'elements = { 10.244.0.0/16, 240.0.0.0/4 }',
    'set ranges {',
    'elements = { 10.0.0.0/24 . 1000-2000 }',
    'set macs {',
    'elements = { 02:00:00:00:00:01 }',
    'set links {',
    'elements = { "eth0" }',
    'chain lb-4 {',
    'ct mark set ct mark . numgen random mod 4 map @slot',
    'chain keep-4 {',
    'meta mark set ct mark update @recent { @nh,96,32 . meta mark : ct mark } counter packets 0 bytes 0 return',
  ]);
});

test.serial('a large transaction is atomic and lets Node go on meanwhile', async (t) => {
  using nft = KernelNft.open();
  await nft.loadRuleset('add table ip big\nadd map ip big slot { typeof ct mark . numgen random mod 2 : ct mark; }\n');
  const big = { family: 'ip', name: 'big' } as const;
  const slot = defineMap(big, 'slot', ['mark', 'mark'], ['mark']);
  const load = new Transaction(big);
  for (let id = 0; id < 20_000; id++) load.addElement(slot, [id, 0], id + 1);
  const before = await nft.generation();
  let turns = 0;
  const ticking = setInterval(() => { turns++; }, 1);
  const loading = nft.commit(load);
  const after = nft.commit(new Transaction(big).deleteElement(slot, [7, 0])); // waits its turn
  await loading;
  clearInterval(ticking);
  await after;
  t.true(turns > 0);
  t.is(await nft.generation(), before + 2);
  let count = 0;
  await nft.elements(slot, () => { count++; });
  t.is(count, 19_999);
  const bad = new Transaction(big);
  for (let id = 20_000; id < 40_000; id++) bad.addElement(slot, [id, 0], id);
  bad.addElement(slot, [3, 0], 99);
  await t.throwsAsync(nft.commit(bad), { code: 'EEXIST', message: /add element ip big slot \{ 0x00000003 \. 0x00000000 : 0x00000063 \}/ });
  t.is((await nft.elements(slot)).length, 19_999);
});

test.serial('a connection\'s packets are traced through the rules, and conntrack lists, marks, announces and deletes it', async (t) => {
  using nft = KernelNft.open();
  using conntrack = Conntrack.open();
  const server = createServer((socket) => socket.end());
  server.listen(0);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  await nft.loadRuleset(`
table ip traced {
  chain out { type nat hook output priority -100; ip daddr 10.9.9.9 dnat to 127.0.0.1; }
  chain raw { type filter hook output priority -300; tcp dport ${port} meta nftrace set 1; }
}`);
  execFileSync('/usr/sbin/ip', ['route', 'add', '10.9.9.9', 'dev', 'lo', 'src', '127.0.0.1']);
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const steps: TraceEvent[] = [];
  const events: ConntrackEvent[] = [];
  watchTrace((event) => steps.push(event), stop.signal);
  conntrack.watch((event) => events.push(event), stop.signal);
  await connectOnce(port, '10.9.9.9');

  const [entry] = conntrack.list({ family: 'ip', protocol: 6, originalDst: '10.9.9.9' });
  t.like(entry, { family: 'ip', protocol: 6, original: { dst: '10.9.9.9', dstPort: port }, reply: { src: '127.0.0.1', srcPort: port }, mark: 0 });
  t.true(entry?.flags.includes('DST_NAT'));
  t.true((entry?.timeoutSeconds ?? 0) > 0);
  const listed = execFileSync('/usr/sbin/conntrack', ['-L', '-o', 'id', '-d', '10.9.9.9'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  t.true(listed.includes(`id=${entry?.id}`), listed);

  const rule = (await nft.list({ family: 'ip', name: 'traced' })).rules.find(({ chain }) => chain === 'out');
  const step = await until('the trace of the DNAT rule', () => steps.find((one) => one.type === 'rule' && one.chain === 'out'));
  t.is(step.ruleHandle, rule?.handle);
  t.is(step.table, 'traced');

  if (entry === undefined) return;
  if (step.conntrackId !== undefined) t.is(step.conntrackId, entry.id);
  t.true(conntrack.setMark(entry, 0x77));
  t.deepEqual(conntrack.list({ mark: { value: 0x77 } }).map(({ id }) => id), [entry.id]);
  t.deepEqual(conntrack.list({ mark: { value: 0x78 } }), []);
  t.deepEqual(conntrack.deleteMatching({ originalDst: '10.9.9.9', replySrc: '127.0.0.1' }).map(({ id }) => id), [entry.id]);
  t.false(conntrack.delete(entry));
  await until('the event of the deletion', () => events.find((event) => event.kind === 'destroy' && event.entry.id === entry.id));
  t.true(events.some((event) => event.kind === 'new' && event.entry.id === entry.id));
});

test.serial('another namespace is served by its path, and nothing reaches this one', async (t) => {
  const holder = execFileSync('/bin/sh', ['-c', '/usr/bin/unshare --net /bin/sleep 30 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }).trim();
  t.teardown(() => process.kill(Number(holder)));
  const netns = `/proc/${holder}/ns/net`;
  await until('the other namespace', () => execFileSync('/usr/bin/readlink', [netns], { encoding: 'utf8' }) === execFileSync('/usr/bin/readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }) ? undefined : true);
  using there = KernelNft.open({ netns });
  using here = KernelNft.open();
  await there.loadRuleset('add table ip elsewhere\n');
  t.deepEqual((await there.list()).tables.map(({ name }) => name), ['elsewhere']);
  t.false((await here.list()).tables.some(({ name }) => name === 'elsewhere'));
});

test.serial('deleting a table leaves nothing', async (t) => {
  using nft = KernelNft.open();
  await nft.loadRuleset('flush ruleset\n');
  t.deepEqual(await nft.list(), { tables: [], chains: [], sets: [], rules: [] });
});
