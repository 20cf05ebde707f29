// The pod network in-process when something is wrong or gone: refusals, rollback, CHECK, GC, DEL, STATUS. This file's own namespace is the host.
import { setSysctl, unshareNetns, withNetns } from '@podwire/netlink';
import test from 'ava';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attach, check, detach, gc, podNetworkConfig, status } from '../../cni/index.ts';
import type { CniResult, NetworkConfig } from '../../cni/index.ts';
import { TestBed, ipJson, run } from '../../cni/testing/test-bed.ts';
import type { Pod } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');

const bed = new TestBed();
test.after.always(() => bed.close());

const ipOf = (result: CniResult, index = 0): string => result.ips[index]!.address.split('/')[0]!;
const plug = (config: NetworkConfig, pod: Pod): Promise<CniResult> => attach(config, { containerId: pod.name, netns: pod.netns, ifname: 'eth0', podIdentity: { namespace: 'default', name: pod.name } });
const unplug = (config: NetworkConfig, name: string, netns = ''): Promise<void> => detach(config, { containerId: name, netns, ifname: 'eth0' });
const ourLinks = (): unknown[] => ipJson('link').map((link) => link['ifname']).filter((name) => /^pw-[0-9a-f]{12}$/.test(String(name)));

// One failure should not be many.
test.afterEach.always(() => { for (const name of ourLinks()) run('/sbin/ip', 'link', 'del', String(name)); });

test.serial('ADD refuses an interface that exists, a namespace that is gone, and the host\'s own', async (t) => {
  const config = podNetworkConfig({ name: 'refuse', bridge: 'pw-t6', podCIDRs: ['10.67.0.0/24'], dataDir: bed.dataDir });
  const pod = bed.pod('refuse');
  const first = await plug(config, pod);
  await t.throwsAsync(plug(config, pod), { code: 103 as never });
  await check({ ...config, prevResult: first }, { containerId: pod.name, netns: pod.netns, ifname: 'eth0' });
  await t.throwsAsync(attach(config, { containerId: 'x', netns: '/run/netns/absent', ifname: 'eth0' }), { code: 3 as never });
  await t.throwsAsync(attach(config, { containerId: 'x', netns: '/proc/self/ns/net', ifname: 'eth0' }), { code: 4 as never });
  await t.throwsAsync(attach(config, { containerId: 'x', netns: '/etc/hostname', ifname: 'eth0' }), { code: 4 as never });
  t.deepEqual(bed.leases('refuse'), ['10.67.0.2']);
  await unplug(config, pod.name);
});

test.serial('a failure after any step leaves no link, row or lease', async (t) => {
  for (const mode of ['bridge', 'ptp'] as const) {
    const base = podNetworkConfig({ name: `fault-${mode}`, mode, bridge: 'pw-t7', podCIDRs: ['10.68.0.0/24', 'fd68::/64'], dataDir: bed.dataDir, ipMasq: true });
    const config: NetworkConfig = {
      ...base, macspoofchk: mode === 'bridge',
      runtimeConfig: { portMappings: [{ hostPort: 9090, containerPort: 80, protocol: 'tcp' }], bandwidth: { ingressRate: 1e6, ingressBurst: 1e6, egressRate: 1e6, egressBurst: 1e6 } },
    };
    const netns = bed.namespace(`fault-${mode}`);
    const steps: string[] = [];
    for (let failAt = 1; ; failAt++) {
      let count = 0;
      const afterStep = (name: string): void => {
        count++;
        if (count === failAt) { steps.push(name); throw new Error('injected'); }
      };
      const request = { containerId: 'c', netns, ifname: 'eth0' };
      let failed = true;
      try { await attach(config, request, { afterStep }); failed = false; } catch (error) { t.regex(String(error), /injected/); }
      if (!failed) { await detach(config, request); break; }
      t.deepEqual(ourLinks(), [], `links after a failure at ${steps.at(-1)}`);
      t.deepEqual(bed.leases(config.name), [], `leases after a failure at ${steps.at(-1)}`);
      t.notRegex(run('/usr/sbin/nft', 'list', 'ruleset'), /comment/, `rows after a failure at ${steps.at(-1)}`);
      t.deepEqual(ipJson('-n', netns.split('/').at(-1)!, 'link').map((link) => link['ifname']), ['lo']);
    }
    t.true(steps.length > 10);
    t.notRegex(run('/usr/sbin/nft', 'list', 'ruleset'), /comment/);
    t.deepEqual(bed.leases(config.name), []);
  }
});

test.serial('CHECK misses a row that is gone: masquerade, host port, limit', async (t) => {
  const base = podNetworkConfig({ name: 'rows', bridge: 'pw-t16', podCIDRs: ['10.78.0.0/24'], dataDir: bed.dataDir, ipMasq: true });
  const config: NetworkConfig = { ...base, runtimeConfig: { portMappings: [{ hostPort: 4040, containerPort: 80, protocol: 'tcp' }], bandwidth: { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 0, egressBurst: 0 } } };
  const request = { containerId: 'rows', netns: bed.namespace('rows'), ifname: 'eth0' };
  const prevResult = await attach(config, request);
  const checked = (): Promise<void> => check({ ...config, prevResult }, request);
  await checked();
  run('/sbin/tc', 'qdisc', 'del', 'dev', prevResult.interfaces[1]!.name, 'root');
  await t.throwsAsync(checked(), { code: 105 as never, message: /limited to nothing/ });
  run('/usr/sbin/nft', 'flush', 'map', 'inet', 'podwire-cni', 'ports4');
  await t.throwsAsync(checked(), { code: 105 as never, message: /host port tcp 4040/ });
  run('/usr/sbin/nft', 'flush', 'set', 'inet', 'podwire-cni', 'masq4');
  await t.throwsAsync(checked(), { code: 105 as never, message: /masq4/ });
  await detach(config, request);
});

test.serial('GC finds what an ADD left that was killed before it could sign the link', async (t) => {
  const config = podNetworkConfig({ name: 'unsigned', bridge: 'pw-t14', podCIDRs: ['10.75.0.0/24'], dataDir: bed.dataDir });
  const netns = bed.namespace('unsigned');
  const result = await attach(config, { containerId: 'u', netns, ifname: 'eth0' });
  run('/sbin/ip', 'link', 'set', 'dev', result.interfaces[1]!.name, 'alias', '');
  await gc({ ...config, name: 'another' }, []);
  t.is(ourLinks().length, 1);
  await gc(config, [{ containerId: 'u', ifname: 'eth0' }]);
  t.is(ourLinks().length, 1);
  await gc(config, []);
  t.deepEqual(ourLinks(), []);
});

test.serial('DEL removes an interface that another plugin made, when its result says so', async (t) => {
  const config = podNetworkConfig({ name: 'foreign', bridge: 'pw-t15', podCIDRs: ['10.76.0.0/24'], dataDir: bed.dataDir });
  const netns = bed.namespace('foreign');
  run('/sbin/ip', 'link', 'add', 'veth-foreign', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns.split('/').at(-1)!);
  const request = { containerId: 'f', netns, ifname: 'eth0' };
  await detach(config, request);
  t.is(ipJson('link', 'show', 'dev', 'veth-foreign').length, 1, 'without a result it is nobody knows whose');
  await detach({ ...config, prevResult: { interfaces: [{ name: 'eth0', sandbox: netns }], ips: [], routes: [], dns: {} } }, request);
  t.false(ipJson('link').some((link) => link['ifname'] === 'veth-foreign'));
});

test.serial('DEL works twice, without namespace, with a corrupt lease, and frees the address', async (t) => {
  const config = podNetworkConfig({ name: 'del', bridge: 'pw-t8', podCIDRs: ['10.69.0.0/24'], dataDir: bed.dataDir });
  const pod = bed.pod('del');
  await plug(config, pod);
  writeFileSync(join(bed.dataDir, 'del', '10.69.0.2'), '\u0000\u0001 not a lease');
  bed.removeNamespace('del');
  await unplug(config, 'del', pod.netns);
  await unplug(config, 'del');
  t.deepEqual(bed.leases('del'), []);
  t.deepEqual(ourLinks(), []);
  await unplug(config, 'never-was');
});

test.serial('leases of an earlier boot are dropped', async (t) => {
  const config = podNetworkConfig({ name: 'boot', bridge: 'pw-t10', podCIDRs: ['10.71.0.0/24'], dataDir: bed.dataDir });
  mkdirSync(join(bed.dataDir, 'boot'), { recursive: true });
  writeFileSync(join(bed.dataDir, 'boot', '10.71.0.2'), 'gone\r\neth0');
  writeFileSync(join(bed.dataDir, 'boot', 'boot_id'), 'another');
  const pod = bed.pod('boot');
  t.is(ipOf(await plug(config, pod)), '10.71.0.2');
  t.is(bed.lease('boot', '10.71.0.2'), 'boot\r\neth0');
  await unplug(config, pod.name);
});

test.serial('STATUS says when the pool is exhausted and when bridge-nf-call is off', async (t) => {
  const config = podNetworkConfig({ name: 'full', bridge: 'pw-t11', podCIDRs: ['10.72.0.0/30'], dataDir: bed.dataDir });
  const pod = bed.pod('full');
  await plug(config, pod);
  await t.throwsAsync(status(config), { code: 50 as never, message: /exhausted/ });
  const second = bed.pod('full2');
  await t.throwsAsync(plug(config, second), { code: 102 as never, message: /no free address/ });
  t.deepEqual(ourLinks().length, 1);
  await unplug(config, pod.name);
  await status(config);
  setSysctl(undefined, 'net/bridge/bridge-nf-call-iptables', '0');
  await t.throwsAsync(status(config), { code: 51 as never, message: /bridge-nf-call-iptables is 0/ });
  setSysctl(undefined, 'net/bridge/bridge-nf-call-iptables', '1');
});

test.serial('thirty attachments at once get thirty addresses, thirty detachments leave nothing', async (t) => {
  const config = podNetworkConfig({ name: 'thirty', bridge: 'pw-t13', podCIDRs: ['10.74.0.0/24'], dataDir: bed.dataDir });
  const names = Array.from({ length: 30 }, (_, index) => `many-${index}`);
  const spaces = names.map((name) => bed.namespace(name));
  const results = await Promise.all(names.map((containerId, index) => attach(config, { containerId, netns: spaces[index]!, ifname: 'eth0' })));
  t.is(new Set(results.map((result) => ipOf(result))).size, 30);
  t.is(withNetns(spaces[0], () => ipJson('link').length), 2);
  await Promise.all(names.map((name) => unplug(config, name)));
  t.deepEqual(ourLinks(), []);
  t.deepEqual(bed.leases('thirty'), []);
});
