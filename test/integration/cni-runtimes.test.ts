// Under other people's runtimes and beside other people's plugins: Debian's podman, cnitool from the Go module, the
// reference plugins of Debian. What the machine lacks is skipped, with that reason.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { installPlugins } from '../../cni/index.ts';
import { TestBed, ipJson, run, runExecutablePlugin } from '../../cni/testing/test-bed.ts';
import type { PluginRun } from '../../cni/testing/test-bed.ts';

const cnitool = join(import.meta.dirname, '../../.cache/go/cnitool');

/** Go's own client, built once into the cache folder; undefined where it cannot be. */
function ensureCnitool(): string | undefined {
  if (existsSync(cnitool)) return undefined;
  const { status, stderr, error } = spawnSync('go', ['install', 'github.com/containernetworking/cni/cnitool@v1.3.0'], { env: { ...process.env, GOBIN: join(cnitool, '..'), GOFLAGS: '' }, encoding: 'utf8', timeout: 120_000 });
  if (error !== undefined) return 'there is no Go to build cnitool with';
  return status === 0 ? undefined : `cnitool cannot be built: ${stderr.trim().split('\n').at(-1) ?? ''}`;
}

// Before this file leaves for a namespace without a way to the module proxy.
const cnitoolMissing = ensureCnitool();
unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
const bed = new TestBed();
const host = bed.host();
const bin = join(bed.folder, 'bin');
const reference = '/usr/lib/cni';

test.before(async () => { await installPlugins(bin); });
test.after.always(() => bed.close());

/** A CNI_PATH of some of ours and some of Debian's. */
function mix(name: string, ours: readonly string[], theirs: readonly string[]): string {
  const folder = join(bed.folder, name);
  mkdirSync(folder);
  for (const each of ours) symlinkSync(join(bin, each), join(folder, each));
  for (const each of theirs) symlinkSync(join(reference, each), join(folder, each));
  return folder;
}

function tool(path: string, folder: string, verb: string, network: string, netns: string, env: Record<string, string> = {}): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(cnitool, [verb, network, netns], { env: { ...process.env, CNI_PATH: path, NETCONFPATH: folder, ...env }, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

function conflist(name: string, cniVersion: string, plugins: readonly object[]): string {
  const folder = join(bed.folder, `net-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.conflist`), JSON.stringify({ cniVersion, name, plugins }));
  return folder;
}

const unique = `pw${process.pid}`;
const hostLocal = (subnet: string): object => ({ type: 'host-local', dataDir: bed.dataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] });
const rows = (): string => run('/usr/sbin/nft', 'list', 'ruleset').split('\n').filter((line) => line.includes('comment')).join('\n');
const veths = (): number => ipJson('link', 'show', 'type', 'veth').length;

test.serial('cnitool: add, check, status, gc, del', (t) => {
  if (cnitoolMissing !== undefined) {
    t.log(`skipped: ${cnitoolMissing}`);
    t.pass();
    return;
  }
  const name = `${unique}-tool`;
  const folder = conflist(name, '1.1.0', [{ type: 'podwire', bridge: 'pw-tool', ipMasq: true, ipam: hostLocal('10.93.0.0/24') }]);
  const netns = bed.namespace('tool');
  const steps = (verb: string): void => {
    const { code, stdout, stderr } = tool(bin, folder, verb, name, netns);
    t.is(code, 0, `${verb}: ${stdout}${stderr}`);
  };
  steps('status');
  steps('add');
  steps('check');
  t.is(veths(), 1);
  steps('del');
  steps('del');
  t.is(veths(), 0);
  steps('add');
  // cnitool's gc deletes what it remembers and then calls GC without saying what is valid, which the specification makes an error.
  const collected = tool(bin, folder, 'gc', name, netns);
  t.regex(`${collected.stdout}${collected.stderr}`, /valid-attachments: missing/);
  t.is(veths(), 0);
  t.deepEqual(bed.leases(name), []);
  t.is(rows(), '');
});

const chains: readonly (readonly [string, readonly string[], readonly string[], readonly object[]])[] = [
  ['our bridge with Debian\'s portmap, bandwidth and tuning', ['podwire', 'host-local'], ['portmap', 'bandwidth', 'tuning'], [
    { type: 'podwire', bridge: 'pw-mix', ipam: hostLocal('10.94.0.0/24') },
    { type: 'bandwidth', ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 },
    { type: 'portmap', runtimeConfig: { portMappings: [] } },
    { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.arp_notify': '1' }, mtu: 1400, mac: '02:00:00:00:00:42' },
  ]],
  ['our bridge with Debian\'s firewall', ['podwire', 'host-local'], ['firewall'], [
    { type: 'podwire', bridge: 'pw-mix2', ipam: hostLocal('10.95.0.0/24') }, { type: 'firewall', backend: 'iptables' },
  ]],
  ['Debian\'s bridge with our host-local, portmap and bandwidth', ['host-local', 'portmap', 'bandwidth'], ['bridge'], [
    { type: 'bridge', bridge: 'cni-deb0', isGateway: true, ipam: hostLocal('10.96.7.0/24') },
    { type: 'portmap', runtimeConfig: { portMappings: [{ hostPort: 8181, containerPort: 80, protocol: 'tcp' }] } },
    { type: 'bandwidth', ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 },
  ]],
  ['our bridge and ptp under the reference names with Debian\'s host-local', ['bridge', 'ptp'], ['host-local'], [
    { type: 'bridge', bridge: 'cni-pw9', isDefaultGateway: true, ipMasq: true, ipam: hostLocal('10.97.0.0/24') },
  ]],
];

for (const [index, [what, ours, theirs, plugins]] of chains.entries()) {
  test.serial(`${what}: ADD, traffic, CHECK, DEL twice`, async (t) => {
    const missing = theirs.find((name) => !existsSync(join(reference, name)));
    if (missing !== undefined) {
    t.log(`skipped: ${reference}/${missing} is not installed (containernetworking-plugins)`);
    t.pass();
    return;
  }
    const path = mix(`mix${index}`, ours, theirs);
    const pod = bed.pod(`mix${index}`);
    const env = { CNI_CONTAINERID: `mix${index}`, CNI_NETNS: pod.netns, CNI_IFNAME: 'eth0', CNI_PATH: path };
    const name = `${unique}-mix${index}`;
    const call = (verb: string, plugin: object, prevResult?: object): Promise<PluginRun> =>
      runExecutablePlugin(join(path, (plugin as { type: string }).type), { CNI_COMMAND: verb, ...env }, { cniVersion: '1.0.0', name, ...plugin, ...(prevResult === undefined ? {} : { prevResult }) });
    let result: Record<string, unknown> | undefined;
    for (const plugin of plugins) {
      const added = await call('ADD', plugin, result);
      if (added.code !== 0 && /iptables/.test(added.stdout) && (plugin as { type: string }).type === 'firewall') {
        t.log(`skipped: Debian's firewall cannot use iptables here: ${added.stdout.trim().slice(0, 200)}`);
        continue;
      }
      t.is(added.code, 0, `${JSON.stringify(plugin)}: ${added.stdout}`);
      result = added.json;
    }
    const ip = (result?.['ips'] as { address: string }[])[0]!.address.split('/')[0]!;
    await pod.serve(80);
    t.truthy(await host.tcp(ip, 80));
    if (ours.includes('portmap')) t.truthy(await host.tcp('127.0.0.1', 8181));
    const main = await call('CHECK', plugins[0]!, result);
    t.is(main.code, 0, main.stdout);
    for (const plugin of [...plugins].reverse()) for (const again of [1, 2]) {
      const deleted = await call('DEL', plugin, result);
      t.is(deleted.code, 0, `${again} ${JSON.stringify(plugin)}: ${deleted.stdout}`);
    }
    t.is(veths(), 0);
    t.deepEqual(bed.leases(name), []);
    t.is(rows(), '');
  });
}

test.serial('Debian\'s podman runs a container on our plugins and reaches it by a published port', async (t) => {
  if (!existsSync('/usr/bin/podman')) {
    t.log('skipped: podman is not installed');
    t.pass();
    return;
  }
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path) && spawnSync('ldd', [path]).status !== 0);
  if (busybox === undefined) {
    t.log('skipped: no static busybox (busybox-static) for the container');
    t.pass();
    return;
  }
  const rootfs = join(bed.folder, 'rootfs');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'etc', 'tmp']) mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync(busybox, join(rootfs, 'bin', 'busybox'));
  const network = `${unique}-pod`;
  const folder = conflist(network, '1.0.0', [
    { type: 'bridge', bridge: 'cni-pod0', isGateway: true, ipMasq: true, hairpinMode: true, ipam: hostLocal('10.98.0.0/24') },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]);
  const settings = join(bed.folder, 'containers.conf');
  writeFileSync(settings, [
    '[network]', 'network_backend = "cni"', `cni_plugin_dirs = ["${bin}"]`, `network_config_dir = "${folder}"`, `default_network = "${network}"`,
    '[engine]', 'cgroup_manager = "cgroupfs"', 'events_logger = "none"', '[containers]', 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]', '',
  ].join('\n'));
  const podman = (...argv: readonly string[]): { readonly status: number | null; readonly stderr: string } => spawnSync('/usr/bin/podman', ['--root', join(bed.folder, 'podman'), '--runroot', join(bed.folder, 'podman-run'), '--storage-driver', 'vfs', ...argv], { env: { ...process.env, CONTAINERS_CONF: settings }, encoding: 'utf8' });
  const container = basename(bed.folder).toLowerCase();
  try {
    const started = podman('run', '-d', '--name', container, '--network', network, '-p', '8282:80', '--rootfs', rootfs, '/bin/busybox', 'nc', '-ll', '-p', '80', '-e', '/bin/busybox', 'echo', 'hello');
    if (started.status !== 0 && !/cni|plugin|network/i.test(started.stderr)) {
    t.log(`skipped: podman cannot start containers here: ${started.stderr.trim()}`);
    t.pass();
    return;
  }
    t.is(started.status, 0, started.stderr);
    let answer = '';
    for (const deadline = Date.now() + 5000; answer === '' && Date.now() < deadline;) answer = await host.tcp('127.0.0.1', 8282, 500).catch(() => '');
    t.is(answer.trim(), 'hello');
  } finally {
    podman('rm', '-f', '-t', '0', container);
  }
  t.is(veths(), 0);
  t.deepEqual(bed.leases(network), []);
  t.is(rows(), '');
});
