// The installed executables, as a runtime calls them: environment, standard input, standard output, exit code.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPlugins, pluginNames } from '../../cni/index.ts';
import { runPlugin } from '../../cni/plugins/run.ts';
import { TestBed, ipJson, run, runExecutablePlugin } from '../../cni/testing/test-bed.ts';
import type { PluginRun } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');

const bed = new TestBed();
const bin = join(bed.folder, 'bin');
test.before(async (t) => {
  t.deepEqual([...await installPlugins(bin)].sort(), [...pluginNames].sort());
});
test.after.always(() => bed.close());

type Env = Readonly<Record<string, string>>;
const call = (name: string, verb: string, env: Env, config: unknown): Promise<PluginRun> => runExecutablePlugin(join(bin, name), { CNI_COMMAND: verb, CNI_PATH: bin, ...env }, config);
const who = (containerId: string, netns: string, ifname = 'eth0'): Env => ({ CNI_CONTAINERID: containerId, CNI_NETNS: netns, CNI_IFNAME: ifname });
const conf = (name: string, subnet: string, more: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0', name, type: 'podwire', bridge: `pw-${name}`.slice(0, 15), ipam: { type: 'host-local', ranges: [[{ subnet }]], dataDir: bed.dataDir }, ...more,
});
const ourLinks = (): unknown[] => ipJson('link').map((link) => link['ifname']).filter((name) => /^pw-[0-9a-f]{12}$/.test(String(name)));
const allRows = (): string => run('/usr/sbin/nft', 'list', 'ruleset').split('\n').filter((line) => line.includes('comment')).join('\n');

test('VERSION names what it speaks; without CNI_COMMAND it says what it is', async (t) => {
  for (const name of pluginNames) {
    const version = await call(name, 'VERSION', {}, { cniVersion: '0.4.0' });
    t.is(version.code, 0);
    t.deepEqual(version.json, { cniVersion: '0.4.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] });
    const about = await runExecutablePlugin(join(bin, name), {}, '');
    t.is(about.code, 0);
    t.regex(about.stderr, /^CNI plugin /);
  }
});

test('NODE_OPTIONS and NODE_EXTRA_CA_CERTS do not reach the program', async (t) => {
  const trap = join(bed.folder, 'trap.cjs');
  writeFileSync(trap, 'process.exit(77)');
  t.is((await call('podwire', 'VERSION', { NODE_OPTIONS: `--require=${trap}`, NODE_EXTRA_CA_CERTS: '/absent' }, { cniVersion: '1.1.0' })).code, 0);
});

for (const [version, shape] of [['0.3.1', 'old'], ['0.4.0', 'old'], ['1.0.0', 'new'], ['1.1.0', 'full']] as const) {
  test(`ADD, CHECK and DEL in version ${version}`, async (t) => {
    const name = `v${version.replaceAll('.', '')}`;
    const config = conf(name, `10.8${version.replaceAll('.', '').slice(0, 2)}.0.0/24`.replace('803', '80').replace('804', '81').replace('810', '82').replace('811', '83'), { cniVersion: version });
    const netns = bed.namespace(name);
    const added = await call('podwire', 'ADD', who(name, netns), config);
    t.is(added.code, 0, added.stdout);
    t.is(added.json['cniVersion'], version);
    const [ip] = added.json['ips'] as Record<string, unknown>[];
    t.is(ip?.['version'], shape === 'old' ? '4' : undefined);
    t.is('mtu' in (added.json['interfaces'] as object[])[0]!, shape === 'full');
    const checked = await call('podwire', 'CHECK', who(name, netns), { ...config, prevResult: added.json });
    if (version === '0.3.1') t.is(checked.json['code'], 1);
    else t.is(checked.code, 0, checked.stdout);
    const deleted = await call('podwire', 'DEL', who(name, netns), { ...config, prevResult: added.json });
    t.is(deleted.code, 0, deleted.stdout);
    t.is(deleted.stdout, '');
    t.deepEqual(bed.leases(name), []);
  });
}

test('every wrong call is a JSON error with the specified code that names what is wrong', async (t) => {
  const netns = bed.namespace('wrong');
  const good = conf('wrong', '10.84.0.0/24');
  const env = who('wrong', netns);
  const ipam = (more: object): object => ({ ...good, ipam: { type: 'host-local', dataDir: bed.dataDir, ...more } });
  const cases: readonly (readonly [string, string, Env, unknown, number, RegExp])[] = [
    ['broken JSON', 'ADD', env, '{"cniVersion": ', 6, /not JSON/],
    ['a list', 'ADD', env, [], 7, /not a JSON object/],
    ['an unknown version', 'ADD', env, { ...good, cniVersion: '9.9.9' }, 1, /9\.9\.9/],
    ['no version', 'ADD', env, { ...good, cniVersion: undefined }, 1, /0\.1\.0/],
    ['no name', 'ADD', env, { ...good, name: '' }, 7, /name/],
    ['an absurd network name', 'ADD', env, { ...good, name: '../etc' }, 7, /name: "\.\.\/etc"/],
    ['an unknown verb', 'JUMP', env, good, 4, /CNI_COMMAND/],
    ['no variables', 'ADD', {}, good, 4, /CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME/],
    ['no interface name', 'DEL', { CNI_CONTAINERID: 'x' }, good, 4, /CNI_IFNAME/],
    ['an absurd container id', 'ADD', { ...env, CNI_CONTAINERID: '../../x' }, good, 4, /CNI_CONTAINERID/],
    ['a long interface name', 'ADD', { ...env, CNI_IFNAME: 'sixteen-letters-' }, good, 4, /CNI_IFNAME/],
    ['an interface name with a slash', 'ADD', { ...env, CNI_IFNAME: 'a/b' }, good, 4, /CNI_IFNAME/],
    ['an interface called ..', 'ADD', { ...env, CNI_IFNAME: '..' }, good, 4, /CNI_IFNAME/],
    ['a namespace that is gone', 'ADD', { ...env, CNI_NETNS: '/run/netns/absent' }, good, 3, /absent/],
    ['unknown arguments', 'ADD', { ...env, CNI_ARGS: 'FOO=bar' }, good, 4, /FOO/],
    ['arguments without =', 'ADD', { ...env, CNI_ARGS: 'FOO' }, good, 4, /CNI_ARGS/],
    ['a bad MAC', 'ADD', { ...env, CNI_ARGS: 'MAC=01:00:5e:00:00:01' }, good, 4, /MAC/],
    ['vlan', 'ADD', env, { ...good, vlan: 100 }, 2, /vlan: 100/],
    ['an MTU in words', 'ADD', env, { ...good, mtu: 'big' }, 7, /mtu: "big"/],
    ['hairpin and promiscuous', 'ADD', env, { ...good, hairpinMode: true, promiscMode: true }, 7, /hairpinMode/],
    ['a bad subnet', 'ADD', env, ipam({ ranges: [[{ subnet: '10.1.2' }]] }), 7, /ipam\.ranges\[0\]\[0\]\.subnet: "10\.1\.2"/],
    ['host bits', 'ADD', env, ipam({ subnet: '10.1.2.3/24' }), 7, /10\.1\.2\.3\/24.*10\.1\.2\.0\/24/],
    ['a pool outside its range', 'ADD', env, ipam({ ranges: [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.3.5' }]] }), 7, /rangeStart: "10\.1\.3\.5" lies outside 10\.1\.2\.0\/24/],
    ['overlapping pools', 'ADD', env, ipam({ ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.0.0/16' }]] }), 7, /overlaps/],
    ['no pool', 'ADD', env, ipam({}), 7, /ipam\.ranges/],
    ['an IPAM plugin that is not there', 'ADD', env, { ...good, ipam: { type: 'nothing' } }, 7, /"nothing" in CNI_PATH/],
    ['a wanted address outside the pool', 'ADD', { ...env, CNI_ARGS: 'IP=192.0.2.1' }, good, 106, /192\.0\.2\.1/],
    ['a gateway that routes cannot reach', 'ADD', env, { ...good, ipam: { type: 'host-local', dataDir: bed.dataDir, subnet: '10.84.0.0/24', routes: [{ dst: '10.5.0.0/16', gw: '172.31.0.1' }] } }, 7, /172\.31\.0\.1/],
    ['GC without a list', 'GC', {}, good, 7, /cni\.dev\/valid-attachments/],
    ['GC in 1.0.0', 'GC', {}, { ...good, cniVersion: '1.0.0', 'cni.dev/valid-attachments': [] }, 1, /GC/],
    ['CHECK without prevResult', 'CHECK', env, good, 7, /prevResult/],
    ['a bridge that is no bridge', 'ADD', env, { ...good, bridge: 'lo' }, 7, /bridge: "lo"/],
  ];
  for (const [what, verb, variables, config, code, message] of cases) {
    const result = await runPlugin('podwire', { CNI_COMMAND: verb, CNI_PATH: bin, ...variables }, () => (typeof config === 'string' ? config : JSON.stringify(config)));
    const error = JSON.parse(result.stdout) as { code: number; msg: string };
    t.not(result.exitCode, 0, what);
    t.is(error.code, code, `${what}: ${result.stdout}`);
    t.regex(error.msg, message, what);
    t.deepEqual(bed.leases('wrong'), [], what);
  }
  const links = ipJson('link').map((link) => link['ifname']);
  t.false(links.some((name) => String(name).startsWith('pw-') && String(name).includes('wrong') && ourLinks().includes(name)));
});

test('ADD again after a killed ADD succeeds', async (t) => {
  const config = conf('again', '10.86.0.0/24', { ipMasq: true });
  const netns = bed.namespace('again');
  t.is((await call('podwire', 'ADD', { ...who('again', netns), PODWIRE_CNI_DIE_AFTER: '8' }, config)).code, null);
  const interfaces = ipJson('-n', netns.split('/').at(-1)!, 'link').map((link) => link['ifname']);
  if (interfaces.includes('eth0')) await call('podwire', 'DEL', who('again', netns), config);
  const added = await call('podwire', 'ADD', who('again', netns), config);
  t.is(added.code, 0, added.stdout);
  await call('podwire', 'DEL', who('again', netns), config);
});

test('GC keeps the valid attachments and frees the others, of its own network only', async (t) => {
  const [mine, other] = [conf('gc1', '10.87.0.0/24', { ipMasq: true }), conf('gc2', '10.88.0.0/24', { ipMasq: true })];
  const spaces = ['gc-a', 'gc-b', 'gc-c'].map((name) => bed.namespace(name));
  for (const [index, config] of [mine, mine, other].entries()) t.is((await call('podwire', 'ADD', who(`gc-${index}`, spaces[index]!), config)).code, 0);
  const result = await call('podwire', 'GC', {}, { ...mine, 'cni.dev/valid-attachments': [{ containerID: 'gc-0', ifname: 'eth0' }] });
  t.is(result.code, 0, result.stdout);
  t.deepEqual(bed.leases('gc1'), ['10.87.0.2']);
  t.deepEqual(bed.leases('gc2'), ['10.88.0.2']);
  t.regex(allRows(), /10\.87\.0\.2/);
  t.notRegex(allRows(), /10\.87\.0\.3/);
  t.regex(allRows(), /10\.88\.0\.2/);
  t.false(ipJson('-n', spaces[1]!.split('/').at(-1)!, 'link').some((link) => link['ifname'] === 'eth0'));
  t.true(ipJson('-n', spaces[0]!.split('/').at(-1)!, 'link').some((link) => link['ifname'] === 'eth0'));
  for (const config of [mine, other]) await call('podwire', 'GC', {}, { ...config, 'cni.dev/valid-attachments': [] });
});

test('our own chain: bridge, portmap and bandwidth, with prevResult passed on', async (t) => {
  const netns = bed.namespace('chain');
  const base = { cniVersion: '1.0.0', name: 'chain' };
  const bridge = { ...base, type: 'bridge', bridge: 'br-chain', isDefaultGateway: true, ipam: { type: 'host-local', subnet: '10.89.0.0/24', dataDir: bed.dataDir, routes: [{ dst: '0.0.0.0/0' }] } };
  const portmap = { ...base, type: 'portmap', runtimeConfig: { portMappings: [{ hostPort: 6060, containerPort: 80, protocol: 'tcp' }] } };
  const bandwidth = { ...base, type: 'bandwidth', ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 };
  const env = who('chain', netns);
  const first = await call('bridge', 'ADD', env, bridge);
  t.is(first.code, 0, first.stdout);
  const second = await call('portmap', 'ADD', env, { ...portmap, prevResult: first.json });
  t.deepEqual(second.json, first.json);
  const third = await call('bandwidth', 'ADD', env, { ...bandwidth, prevResult: second.json });
  t.is(third.code, 0, third.stdout);
  t.is((third.json['interfaces'] as unknown[]).length, 4);
  for (const [name, config] of [['bridge', bridge], ['portmap', portmap], ['bandwidth', bandwidth]] as const) {
    const checked = await call(name, 'CHECK', env, { ...config, prevResult: third.json });
    t.is(checked.code, 0, checked.stdout);
  }
  for (const [name, config] of [['bandwidth', bandwidth], ['portmap', portmap], ['bridge', bridge]] as const) {
    for (const again of [1, 2]) t.is((await call(name, 'DEL', env, { ...config, prevResult: third.json })).code, 0, `${name} ${again}`);
  }
  t.notRegex(allRows(), /10\.89\./);
  t.deepEqual(bed.leases('chain'), []);
  t.is((await call('portmap', 'CHECK', env, { ...portmap, prevResult: third.json })).json['code'], 105);
});

test('host-local alone: addresses, requested ones, a full pool, STATUS', async (t) => {
  const config = { cniVersion: '1.1.0', name: 'pool', type: 'bridge', ipam: { type: 'host-local', dataDir: bed.dataDir, ranges: [[{ subnet: '10.90.0.0/24', rangeStart: '10.90.0.10', rangeEnd: '10.90.0.12', gateway: '10.90.0.254' }], [{ subnet: 'fd90::/120' }]], routes: [{ dst: '0.0.0.0/0' }] } };
  const add = (id: string, more: Env = {}): Promise<PluginRun> => call('host-local', 'ADD', { ...who(id, '/run/netns/none'), ...more }, config);
  const first = await add('one');
  t.deepEqual((first.json['ips'] as unknown[])[0], { address: '10.90.0.10/24', gateway: '10.90.0.254' });
  t.deepEqual((first.json['ips'] as unknown[])[1], { address: 'fd90::2/120', gateway: 'fd90::1' });
  t.is((await add('one')).json['code'], 106);
  const wanted = await add('two', { CNI_ARGS: 'IP=10.90.0.12' });
  t.is((wanted.json['ips'] as { address: string }[])[0]?.address, '10.90.0.12/24');
  t.is((await add('three', { CNI_ARGS: 'IP=10.90.0.12' })).json['code'], 106);
  t.is((await call('host-local', 'STATUS', {}, config)).code, 0);
  t.is((await add('four')).code, 0);
  const full = await add('five');
  t.is(full.json['code'], 102);
  t.regex(String(full.json['msg']), /10\.90\.0\.10-10\.90\.0\.12/);
  t.is((await call('host-local', 'STATUS', {}, config)).json['code'], 50);
  t.deepEqual(bed.leases('pool').filter((name) => name.startsWith('fd90')), ['fd90::2', 'fd90::3', 'fd90::4'], 'a refused ADD keeps no address of the other family');
  t.is(readFileSync(join(bed.dataDir, 'pool', '10.90.0.10'), 'latin1'), 'one\r\neth0');
  for (const id of ['one', 'two', 'four', 'four', 'never']) t.is((await call('host-local', 'DEL', who(id, ''), config)).code, 0);
  t.deepEqual(bed.leases('pool'), []);
});

test('loopback brings lo up and takes it down', async (t) => {
  const netns = bed.namespace('loop');
  const config = { cniVersion: '1.0.0', name: 'loop', type: 'loopback' };
  const env = who('loop', netns, 'lo');
  t.is((await call('loopback', 'CHECK', env, config)).json['code'], 105);
  const added = await call('loopback', 'ADD', env, config);
  t.deepEqual((added.json['ips'] as { address: string }[]).map((ip) => ip.address), ['127.0.0.1/8', '::1/128']);
  t.is((await call('loopback', 'CHECK', env, config)).code, 0);
  t.is((await call('loopback', 'DEL', env, config)).code, 0);
  t.is((await call('loopback', 'DEL', { ...env, CNI_NETNS: '/run/netns/absent' }, config)).code, 0);
});

test('a delegated IPAM plugin is called, and its own error comes through', async (t) => {
  const other = join(bed.folder, 'other');
  mkdirSync(other, { recursive: true });
  const netns = bed.namespace('delegate');
  // host-local under another name, so that it is not ours to serve in-process.
  writeFileSync(join(other, 'foreign'), `#!/bin/sh\ncat > ${join(other, 'seen')}\n[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.91.0.7/24","gateway":"10.91.0.1"}],"dns":{"nameservers":["10.91.0.53"]}}'\nexit 0\n`, { mode: 0o755 });
  writeFileSync(join(other, 'angry'), `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = DEL ] && exit 0\necho '{"code": 11, "msg": "later"}'; exit 1\n`, { mode: 0o755 });
  writeFileSync(join(other, 'mute'), `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = DEL ] && exit 0\necho 'what a mess' >&2; exit 9\n`, { mode: 0o755 });
  symlinkSync(join(bin, 'podwire'), join(other, 'podwire'));
  const config = (type: string): object => ({ ...conf('delegate', '10.91.0.0/24'), ipam: { type, custom: 'kept' } });
  const env = { ...who('delegate', netns), CNI_PATH: other };
  const added = await call('podwire', 'ADD', env, config('foreign'));
  t.is(added.code, 0, added.stdout);
  t.is((added.json['ips'] as { address: string }[])[0]?.address, '10.91.0.7/24');
  t.deepEqual(added.json['dns'], { nameservers: ['10.91.0.53'] });
  t.is((JSON.parse(readFileSync(join(other, 'seen'), 'utf8')) as { ipam: { custom: string } }).ipam.custom, 'kept');
  t.is((await call('podwire', 'DEL', env, config('foreign'))).code, 0);
  t.is((await call('podwire', 'ADD', env, config('angry'))).json['code'], 11);
  const mute = await call('podwire', 'ADD', env, config('mute'));
  t.is(mute.json['code'], 107);
  t.regex(String(mute.json['details']), /what a mess/);
});
