// The pod network in-process, on the real kernel: this file's own namespace is the host.
import { getSysctl, openRoute, setLink, unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { attach, check, detach, gc, podNetworkConfig } from '../../cni/index.ts';
import type { CniResult, NetworkConfig } from '../../cni/index.ts';
import { TestBed, ipJson, run } from '../../cni/testing/test-bed.ts';
import type { Pod } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');

const bed = new TestBed();
const host = bed.host();
test.after.always(() => bed.close());

const ipOf = (result: CniResult, index = 0): string => result.ips[index]!.address.split('/')[0]!;
const plug = (config: NetworkConfig, pod: Pod): Promise<CniResult> => attach(config, { containerId: pod.name, netns: pod.netns, ifname: 'eth0', podIdentity: { namespace: 'default', name: pod.name } });
const unplug = (config: NetworkConfig, name: string, netns = ''): Promise<void> => detach(config, { containerId: name, netns, ifname: 'eth0' });
const ourLinks = (): unknown[] => ipJson('link').map((link) => link['ifname']).filter((name) => /^pw-[0-9a-f]{12}$/.test(String(name)));

// One failure should not be many.
test.afterEach.always(() => { for (const name of ourLinks()) run('/sbin/ip', 'link', 'del', String(name)); });

for (const mode of ['bridge', 'ptp'] as const) {
  test.serial(`${mode}: two dual-stack pods reach each other and the host, over TCP and UDP`, async (t) => {
    const config = podNetworkConfig({ name: `net-${mode}`, mode, bridge: 'pw-t0', podCIDRs: ['10.61.0.0/24', 'fd61::/64'], dataDir: bed.dataDir, mtu: 1400 });
    const [a, b] = [bed.pod(`${mode}-a`), bed.pod(`${mode}-b`)];
    const [resultA, resultB] = [await plug(config, a), await plug(config, b)];
    t.deepEqual(resultA.ips.map((ip) => ip.address), ['10.61.0.2/24', 'fd61::2/64']);
    await b.serve(80);
    for (const family of [0, 1]) {
      t.is(await a.tcp(ipOf(resultB, family), 80), ipOf(resultA, family));
      t.true((await a.udp(ipOf(resultB, family), 80)).endsWith(`${ipOf(resultA, family)} 8`));
    }
    t.is(await host.tcp(ipOf(resultB), 80), '10.61.0.1');
    await host.serve(81);
    t.is(await a.tcp('10.61.0.1', 81), ipOf(resultA));

    await check({ ...config, prevResult: resultA }, { containerId: a.name, netns: a.netns, ifname: 'eth0' });
    run('/sbin/ip', '-n', a.netns.split('/').at(-1)!, 'addr', 'flush', 'dev', 'eth0');
    await t.throwsAsync(check({ ...config, prevResult: resultA }, { containerId: a.name, netns: a.netns, ifname: 'eth0' }), { message: /10\.61\.0\.2\/24 is gone/ });

    await unplug(config, a.name);
    await unplug(config, b.name, b.netns);
    t.deepEqual(ourLinks(), []);
    t.deepEqual(bed.leases(config.name), []);
  });

  test.serial(`${mode}: the result says what the kernel has`, async (t) => {
    const config = podNetworkConfig({ name: `wire-${mode}`, mode, bridge: 'pw-t1', podCIDRs: ['10.62.0.0/24', 'fd62::/64'], dataDir: bed.dataDir, mtu: 1380 });
    const pod = bed.pod(`${mode}-wire`);
    const result = await plug(config, pod);
    const [inside] = ipJson('-n', pod.netns.split('/').at(-1)!, '-d', 'addr', 'show', 'dev', 'eth0');
    const entry = result.interfaces.at(-1)!;
    t.is(inside?.['address'], entry.mac);
    t.is(inside?.['mtu'], 1380);
    t.is(entry.mtu, 1380);
    const addresses = (inside?.['addr_info'] as { local: string; prefixlen: number; scope: string }[]).filter((each) => each.scope === 'global');
    t.deepEqual(addresses.map((each) => `${each.local}/${each.prefixlen}`).sort(), result.ips.map((ip) => ip.address).sort());
    const outside = result.interfaces.at(-2)!;
    const [host] = ipJson('-d', 'link', 'show', 'dev', outside.name);
    t.is(host?.['address'], outside.mac);
    t.regex(String(host?.['ifalias']), /^podwire network=wire-.* ip=10\.62\.0\.2,fd62::2 container=.* pod=default\//);
    if (mode === 'bridge') {
      t.is(host?.['master'], 'pw-t1');
      t.is((host?.['linkinfo'] as { info_slave_data: { hairpin: boolean } }).info_slave_data.hairpin, true);
      const [bridge] = ipJson('-d', 'link', 'show', 'dev', 'pw-t1');
      t.is(bridge?.['address'], result.interfaces[0]!.mac);
    }
    const routes = ipJson('-n', pod.netns.split('/').at(-1)!, 'route');
    t.true(routes.some((route) => route['dst'] === 'default' && route['gateway'] === '10.62.0.1'));
    t.is(getSysctl(undefined, 'net/ipv4/ip_forward'), '1');
    await unplug(config, pod.name);
  });

  test.serial(`${mode}: a packet of the MTU passes, one more byte does not`, async (t) => {
    const config = podNetworkConfig({ name: `mtu-${mode}`, mode, bridge: 'pw-t2', podCIDRs: ['10.63.0.0/24'], dataDir: bed.dataDir, mtu: 1300 });
    const [a, b] = [bed.pod(`${mode}-mtu-a`), bed.pod(`${mode}-mtu-b`)];
    await plug(config, a);
    const target = ipOf(await plug(config, b));
    await b.serve(80);
    // The sender may emit more than the network carries; what arrives is then the network's doing.
    using rt = openRoute({ netns: a.netns });
    setLink(rt, 'eth0', { mtu: 1400 });
    const headers = 28;
    t.is(await a.udp(target, 80, 1300 - headers), `${ipOf({ ips: [{ address: '10.63.0.2/24' }] } as unknown as CniResult)} ${1300 - headers}`);
    await t.throwsAsync(a.udp(target, 80, 1301 - headers, 300));
    await unplug(config, a.name);
    await unplug(config, b.name);
  });
}

test.serial('egress is masqueraded, traffic inside the subnet is not', async (t) => {
  const config = podNetworkConfig({ name: 'masq', bridge: 'pw-t3', podCIDRs: ['10.64.0.0/24'], dataDir: bed.dataDir, ipMasq: true });
  const [a, b, world] = [bed.pod('masq-a'), bed.pod('masq-b'), bed.pod('world')];
  run('/sbin/ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1', 'netns', world.netns.split('/').at(-1)!);
  run('/sbin/ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'up0');
  run('/sbin/ip', 'link', 'set', 'up0', 'up');
  run('/sbin/ip', '-n', world.netns.split('/').at(-1)!, 'addr', 'add', '192.0.2.2/24', 'dev', 'up1');
  run('/sbin/ip', '-n', world.netns.split('/').at(-1)!, 'link', 'set', 'up1', 'up');
  const resultA = await plug(config, a);
  const resultB = await plug(config, b);
  await world.serve(80);
  await b.serve(80);
  t.is(await a.tcp('192.0.2.2', 80), '192.0.2.1');
  t.is(await a.tcp(ipOf(resultB), 80), ipOf(resultA));
  const before = run('/usr/sbin/nft', '-s', 'list', 'chain', 'inet', 'podwire-cni', 'postrouting');
  await unplug(config, a.name);
  t.is(run('/usr/sbin/nft', '-s', 'list', 'chain', 'inet', 'podwire-cni', 'postrouting'), before, 'rules are constant, only rows go');
  t.notRegex(run('/usr/sbin/nft', 'list', 'set', 'inet', 'podwire-cni', 'masq4'), /10\.64\.0\.2/);
  t.regex(run('/usr/sbin/nft', 'list', 'set', 'inet', 'podwire-cni', 'masq4'), /10\.64\.0\.3/);
  await gc(config, []);
  t.notRegex(run('/usr/sbin/nft', 'list', 'set', 'inet', 'podwire-cni', 'masq4'), /10\.64/);
  t.deepEqual(ourLinks(), []);
});

test.serial('host ports lead to the pod from outside, from the host, from localhost and from the pod itself', async (t) => {
  const base = podNetworkConfig({ name: 'ports', bridge: 'pw-t4', podCIDRs: ['10.65.0.0/24'], dataDir: bed.dataDir });
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }, { hostPort: 8080, containerPort: 80, protocol: 'udp' }] as const;
  const config: NetworkConfig = { ...base, runtimeConfig: { portMappings } };
  const [pod, other, client] = [bed.pod('ports-a'), bed.pod('ports-b'), bed.pod('client')];
  run('/sbin/ip', 'link', 'add', 'cl0', 'type', 'veth', 'peer', 'name', 'cl1', 'netns', client.netns.split('/').at(-1)!);
  run('/sbin/ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'cl0');
  run('/sbin/ip', 'link', 'set', 'cl0', 'up');
  run('/sbin/ip', '-n', client.netns.split('/').at(-1)!, 'addr', 'add', '198.51.100.2/24', 'dev', 'cl1');
  run('/sbin/ip', '-n', client.netns.split('/').at(-1)!, 'link', 'set', 'cl1', 'up');
  await plug(config, pod);
  await plug(base, other);
  await pod.serve(80);
  t.is(await client.tcp('198.51.100.1', 8080), '198.51.100.2');
  t.regex(await client.udp('198.51.100.1', 8080), /198\.51\.100\.2 8/);
  t.truthy(await host.tcp('198.51.100.1', 8080));
  t.truthy(await host.tcp('127.0.0.1', 8080));
  t.truthy(await other.tcp('198.51.100.1', 8080));
  t.truthy(await pod.tcp('198.51.100.1', 8080));

  await unplug(base, other.name);
  await t.throwsAsync(plug(config, other), { code: 104 as never, message: /tcp 8080 is taken/ });
  t.is(ourLinks().length, 1, 'the refused attachment left nothing');
  t.deepEqual(bed.leases('ports').length, 1);
  await unplug(config, pod.name);
  await t.throwsAsync(client.tcp('198.51.100.1', 8080, 300));
  await plug(config, other);
  await other.serve(80);
  t.regex(await client.udp('198.51.100.1', 8080), /198\.51\.100\.2 8/, 'the old UDP flow does not stick to the pod that is gone');
  await unplug(config, other.name);
});

test.serial('bandwidth: the buckets are those that tc shows, in both directions', async (t) => {
  const base = podNetworkConfig({ name: 'bw', bridge: 'pw-t5', podCIDRs: ['10.66.0.0/24'], dataDir: bed.dataDir });
  const config: NetworkConfig = { ...base, runtimeConfig: { bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 16_000_000, egressBurst: 800_000 } } };
  const pod = bed.pod('bw');
  const result = await plug(config, pod);
  const qdiscs = JSON.parse(run('/sbin/tc', '-j', 'qdisc', 'show')) as { kind: string; dev: string; options: { rate: number; burst: number } }[];
  const buckets = qdiscs.filter((each) => each.kind === 'tbf');
  t.is(buckets.find((each) => each.dev === result.interfaces[1]!.name)?.options.rate, 1_000_000);
  t.is(buckets.find((each) => each.dev !== result.interfaces[1]!.name)?.options.rate, 2_000_000);
  await pod.serve(80);
  t.is(await host.tcp(ipOf(result), 80), '10.66.0.1');
  await unplug(config, pod.name);
  t.deepEqual(ourLinks(), []);
});

test.serial('a bridge that has another address keeps it, unless it overlaps', async (t) => {
  run('/sbin/ip', 'link', 'add', 'pw-t9', 'type', 'bridge');
  run('/sbin/ip', 'addr', 'add', '10.99.0.1/24', 'dev', 'pw-t9');
  run('/sbin/ip', 'addr', 'add', '10.70.0.9/16', 'dev', 'pw-t9');
  const config: NetworkConfig = { ...podNetworkConfig({ name: 'addr', bridge: 'pw-t9', podCIDRs: ['10.70.0.0/24'], dataDir: bed.dataDir }), forceAddress: false };
  const pod = bed.pod('addr');
  await t.throwsAsync(plug(config, pod), { code: 7 as never, message: /10\.70\.0\.9\/16, which overlaps/ });
  await plug({ ...config, forceAddress: true }, pod);
  const addresses = (ipJson('addr', 'show', 'dev', 'pw-t9')[0]?.['addr_info'] as { local: string; family: string }[]).filter((each) => each.family === 'inet').map((each) => each.local);
  t.deepEqual(addresses, ['10.99.0.1', '10.70.0.1']);
  await unplug(config, pod.name);
});

test.serial('macspoofchk: a pod that changes its MAC is cut off', async (t) => {
  const base = podNetworkConfig({ name: 'spoof', bridge: 'pw-t12', podCIDRs: ['10.73.0.0/24'], dataDir: bed.dataDir });
  const config: NetworkConfig = { ...base, macspoofchk: true };
  const [a, b] = [bed.pod('spoof-a'), bed.pod('spoof-b')];
  await plug(config, a);
  const target = ipOf(await plug(config, b));
  await b.serve(80);
  t.is(await a.tcp(target, 80), '10.73.0.2');
  using rt = openRoute({ netns: a.netns });
  setLink(rt, 'eth0', { mac: '02:00:00:00:00:99' });
  await t.throwsAsync(a.tcp(target, 80, 300));
  await unplug(config, a.name);
  await unplug(config, b.name);
  t.notRegex(run('/usr/sbin/nft', 'list', 'table', 'bridge', 'podwire-cni'), /comment/);
});
