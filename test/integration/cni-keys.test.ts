// The keys of a network configuration, each by what it does on the real kernel.
import { getSysctl, listFdb, openRoute, setLink, unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { attach, check, detach, gc, parseNetworkConfig, podNetworkConfig, status } from '../../cni/index.ts';
import type { CniResult, NetworkConfig } from '../../cni/index.ts';
import { sendFrame } from '../../cni/testing/raw-frame.ts';
import { TestBed, ipJson, run } from '../../cni/testing/test-bed.ts';
import { eventually } from '../helpers/poll.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
const bed = new TestBed();
const host = bed.host();
test.after.always(() => bed.close());

const parse = (name: string, subnets: readonly string[], more: object = {}, ipam: object = {}): NetworkConfig => parseNetworkConfig({
  cniVersion: '1.1.0', name, type: 'podwire', bridge: `pw-${name}`, ipam: { type: 'host-local', ranges: subnets.map((subnet) => [{ subnet }]), dataDir: bed.dataDir, ...ipam }, ...more,
});
const plug = (config: NetworkConfig, containerId: string, netns: string, args: Record<string, string> = {}): Promise<CniResult> => attach(config, { containerId, netns, ifname: 'eth0', args });
const unplug = (config: NetworkConfig, containerId: string): Promise<void> => detach(config, { containerId, netns: '', ifname: 'eth0' });
const ipOf = (result: CniResult, index = 0): string => result.ips[index]!.address.split('/')[0]!;

test.serial('portIsolation: pods of the bridge reach the gateway, not each other', async (t) => {
  const config = parse('isol', ['10.51.0.0/24'], { portIsolation: true });
  const [a, b] = [bed.pod('isol-a'), bed.pod('isol-b')];
  await plug(config, 'a', a.netns);
  const target = ipOf(await plug(config, 'b', b.netns));
  await b.serve(80);
  t.truthy(await host.tcp(target, 80));
  await t.throwsAsync(a.tcp(target, 80, 300));
  await unplug(config, 'a');
  await unplug(config, 'b');
});

test.serial('macspoofchk: a frame with a forged source is not let in, so that the bridge never learns it; one with the pod\'s own is', async (t) => {
  for (const [name, macspoofchk] of [['spoof0', false], ['spoof1', true]] as const) {
    const config = parse(name, [`10.49.${macspoofchk ? 1 : 0}.0/24`], { macspoofchk });
    const netns = bed.namespace(name);
    const result = await plug(config, 'a', netns);
    const forged = '02:00:00:00:00:66';
    const own = result.interfaces[2]!.mac!;
    using rt = openRoute();
    const learned = (): readonly string[] => listFdb(rt, { dev: result.interfaces[1]!.name }).map(({ mac }) => mac);
    // A port of a bridge that has just been made lets nothing in for a moment: the frames are sent until what may pass has passed.
    const send = (): void => {
      sendFrame(netns, 'eth0', forged);
      sendFrame(netns, 'eth0', own);
    };
    await eventually('the bridge has learned what may pass', () => {
      send();
      return learned().includes(macspoofchk ? own : forged);
    });
    // Frames of one sender keep their order: that one has passed, and the forged ones before it have been decided on.
    t.is(learned().includes(forged), !macspoofchk, name);
    await unplug(config, 'a');
  }
});

test.serial('VLAN keys are refused by ADD and STATUS with what was found out about the kernel; DEL has nothing against them', async (t) => {
  for (const [more, text] of [[{ vlan: 100 }, /vlan: 100 needs a bridge with VLAN filtering, which this kernel (has, but|does not have \(ip link add probe type bridge: E)/], [{ vlanTrunk: [{ minID: 2, maxID: 9 }] }, /vlanTrunk: \[\{"minID":2/]] as const) {
    const config = parse('vlan', ['10.50.0.0/24'], more);
    await t.throwsAsync(plug(config, 'a', bed.namespace(`vlan-${Object.keys(more)[0]}`)), { code: 2 as never, message: text });
    await t.throwsAsync(status(config), { code: 2 as never, message: text });
    await unplug(config, 'a');
  }
  t.notRegex(run('/sbin/ip', 'link'), /probe|pw-vlan/);
  t.notThrows(() => parse('novlan', ['10.50.0.0/24'], { vlan: 0, vlanTrunk: [], preserveDefaultVlan: true }));
});

test.serial('promiscMode puts the bridge into promiscuous mode and leaves hairpin off', async (t) => {
  const config = parse('promi', ['10.52.0.0/24'], { promiscMode: true });
  await plug(config, 'a', bed.namespace('promi'));
  const [bridge] = ipJson('-d', 'link', 'show', 'dev', 'pw-promi');
  t.true((bridge?.['flags'] as string[]).includes('PROMISC'));
  const [port] = ipJson('-d', 'link', 'show', 'master', 'pw-promi');
  t.false((port?.['linkinfo'] as { info_slave_data: { hairpin: boolean } }).info_slave_data.hairpin);
  await unplug(config, 'a');
});

test.serial('isGateway false: the bridge gets no address and the pod no default route', async (t) => {
  const config = parse('nogw', ['10.53.0.0/24'], { isGateway: false, isDefaultGateway: false });
  const netns = bed.namespace('nogw');
  await plug(config, 'a', netns);
  t.deepEqual((ipJson('addr', 'show', 'dev', 'pw-nogw')[0]?.['addr_info'] as { family: string }[]).filter((each) => each.family === 'inet'), []);
  t.false(ipJson('-n', basename(netns), 'route').some((route) => route['dst'] === 'default'));
  await unplug(config, 'a');
});

test.serial('routes keep mtu, advmss, priority, table and scope, in the kernel and in the result', async (t) => {
  const routes = [
    { dst: '10.200.0.0/16', mtu: 1300, advmss: 1200, priority: 50 },
    { dst: '10.201.0.0/16', table: 100 },
    { dst: '10.202.0.0/16', scope: 253 },
  ];
  const config = parse('routes', ['10.54.0.0/24'], {}, { routes });
  const netns = bed.namespace('routes');
  const result = await plug(config, 'a', netns);
  const inKernel = (dst: string, ...table: string[]): Record<string, unknown> | undefined => ipJson('-n', basename(netns), 'route', 'show', ...table).find((route) => route['dst'] === dst);
  const first = inKernel('10.200.0.0/16');
  t.is(first?.['metric'], 50);
  t.is(first?.['gateway'], '10.54.0.1');
  t.deepEqual((first?.['metrics'] as object[])[0], { mtu: 1300, advmss: 1200 });
  t.is(inKernel('10.201.0.0/16', 'table', '100')?.['gateway'], '10.54.0.1');
  t.is(inKernel('10.202.0.0/16')?.['scope'], 'link');
  t.deepEqual(result.routes.find((route) => route.dst === '10.200.0.0/16'), { dst: '10.200.0.0/16', mtu: 1300, advmss: 1200, priority: 50, gw: '10.54.0.1' });
  await check({ ...config, prevResult: result }, { containerId: 'a', netns, ifname: 'eth0' });
  await unplug(config, 'a');
});

test.serial('enabledad: the address is usable when ADD answers', async (t) => {
  const config = parse('dad', ['fd55::/64'], { enabledad: true });
  const netns = bed.namespace('dad');
  await plug(config, 'a', netns);
  const addresses = ipJson('-n', basename(netns), 'addr', 'show', 'dev', 'eth0')[0]?.['addr_info'] as { local: string; tentative?: boolean; nodad?: boolean }[];
  const ours = addresses.find((each) => each.local === 'fd55::2');
  t.is(ours?.tentative, undefined);
  t.is(ours?.nodad, undefined);
  await unplug(config, 'a');
});

test.serial('without enabledad no address of the bridge is ever tentative; with it the gateway is probed too', async (t) => {
  interface Info { readonly family: string; readonly local: string; readonly scope: string; readonly nodad?: boolean; readonly tentative?: boolean }
  const addresses = (dev: string): readonly Info[] => (ipJson('addr', 'show', 'dev', dev)[0]?.['addr_info'] as Info[]).filter(({ family }) => family === 'inet6');
  for (const [name, enabledad] of [['nodad', false], ['dodad', true]] as const) {
    const config = parse(name, [`fd55:${enabledad ? 1 : 2}::/64`], { enabledad });
    await plug(config, 'a', bed.namespace(name));
    const present = addresses(`pw-${name}`);
    t.deepEqual(present.map(({ scope }) => scope).sort(), ['global', 'link']);
    t.deepEqual(present.filter(({ tentative }) => tentative === true), []);
    t.is(getSysctl(undefined, `net/ipv6/conf/pw-${name}/accept_dad`), enabledad ? '1' : '0');
    t.is(present.find(({ scope }) => scope === 'global')?.nodad, enabledad ? undefined : true);
    await unplug(config, 'a');
  }
});

test.serial('MAC and IP are those of CNI_ARGS, of args.cni or of the capabilities', async (t) => {
  const cases: readonly (readonly [string, object, Record<string, string>])[] = [
    ['args', {}, { MAC: '02:00:00:00:00:11', IP: '10.56.0.77' }],
    ['conf', { args: { cni: { mac: '02:00:00:00:00:11', ips: ['10.56.0.77/24'] } } }, {}],
    ['capability', { runtimeConfig: { mac: '02:00:00:00:00:11', ips: ['10.56.0.77'] } }, {}],
  ];
  for (const [what, more, args] of cases) {
    const config = parse('wish', ['10.56.0.0/24'], more);
    const result = await plug(config, what, bed.namespace(`wish-${what}`), args);
    t.is(ipOf(result), '10.56.0.77', what);
    t.is(result.interfaces[2]?.mac, '02:00:00:00:00:11', what);
    await unplug(config, what);
  }
});

test.serial('ipRanges, dns and resolvConf come through', async (t) => {
  const config = parse('caps', [], { runtimeConfig: { ipRanges: [[{ subnet: '10.57.0.0/24' }]], dns: { nameservers: ['10.57.0.53'], search: ['a.b'] } } }, { ranges: [] });
  const result = await plug(config, 'a', bed.namespace('caps'));
  t.is(ipOf(result), '10.57.0.2');
  t.deepEqual(result.dns, { nameservers: ['10.57.0.53'], search: ['a.b'] });
  await unplug(config, 'a');

  const resolvConf = join(bed.folder, 'resolv.conf');
  writeFileSync(resolvConf, '# here\nnameserver 192.0.2.53\nsearch c.d e.f\noptions ndots:5\n');
  const other = parse('resolv', ['10.57.1.0/24'], {}, { resolvConf });
  t.deepEqual((await plug(other, 'b', bed.namespace('resolv'))).dns, { nameservers: ['192.0.2.53'], search: ['c.d', 'e.f'], options: ['ndots:5'] });
  await unplug(other, 'b');
});

test.serial('disableContainerInterface leaves it down and without addresses', async (t) => {
  const config = parseNetworkConfig({ cniVersion: '1.1.0', name: 'down', type: 'bridge', bridge: 'pw-down', disableContainerInterface: true });
  const netns = bed.namespace('down');
  const result = await plug(config, 'a', netns);
  t.deepEqual(result.ips, []);
  t.is(ipJson('-n', basename(netns), 'link', 'show', 'dev', 'eth0')[0]?.['operstate'], 'DOWN');
  await check({ ...config, prevResult: result }, { containerId: 'a', netns, ifname: 'eth0' });
  await unplug(config, 'a');
});

test.serial('CHECK tolerates what a later plugin of the chain changed', async (t) => {
  const config = parse('tuned', ['10.58.0.0/24']);
  const netns = bed.namespace('tuned');
  const result = await plug(config, 'a', netns);
  using rt = openRoute({ netns });
  setLink(rt, 'eth0', { mtu: 1300, mac: '02:00:00:00:00:22', promisc: true });
  await check({ ...config, prevResult: result }, { containerId: 'a', netns, ifname: 'eth0' });
  run('/sbin/ip', 'link', 'set', result.interfaces[1]!.name, 'nomaster');
  await t.throwsAsync(check({ ...config, prevResult: result }, { containerId: 'a', netns, ifname: 'eth0' }), { code: 105 as never, message: /no port of bridge/ });
  await unplug(config, 'a');
});

test.serial('host ports over IPv6, and at one address of the node only', async (t) => {
  const base = podNetworkConfig({ name: 'ports6', bridge: 'pw-ports6', podCIDRs: ['10.59.0.0/24', 'fd59::/64'], dataDir: bed.dataDir });
  const client = bed.pod('ports6-client');
  const inside = basename(client.netns);
  run('/sbin/ip', 'link', 'add', 'c0', 'type', 'veth', 'peer', 'name', 'c1', 'netns', inside);
  for (const address of ['203.0.113.1/24', '203.0.113.9/24', '2001:db8::1/64']) run('/sbin/ip', 'addr', 'add', address, 'dev', 'c0', ...(address.includes(':') ? ['nodad'] : []));
  run('/sbin/ip', 'link', 'set', 'c0', 'up');
  for (const address of ['203.0.113.2/24', '2001:db8::2/64']) run('/sbin/ip', '-n', inside, 'addr', 'add', address, 'dev', 'c1', ...(address.includes(':') ? ['nodad'] : []));
  run('/sbin/ip', '-n', inside, 'link', 'set', 'c1', 'up');
  const config: NetworkConfig = { ...base, runtimeConfig: { portMappings: [{ hostPort: 5050, containerPort: 80, protocol: 'tcp' }, { hostPort: 5051, containerPort: 80, protocol: 'tcp', hostIP: '203.0.113.9' }] } };
  const pod = bed.pod('ports6');
  await plug(config, 'a', pod.netns);
  await pod.serve(80);
  t.is(await client.tcp('2001:db8::1', 5050), '2001:db8::2');
  t.is(await client.tcp('203.0.113.9', 5051), '203.0.113.2');
  await t.throwsAsync(client.tcp('203.0.113.1', 5051, 300));
  const other = bed.namespace('ports6-b');
  const clash: NetworkConfig = { ...base, runtimeConfig: { portMappings: [{ hostPort: 5051, containerPort: 81, protocol: 'tcp' }] } };
  await t.throwsAsync(plug(clash, 'b', other), { code: 104 as never });
  await gc(base, []);
  t.notRegex(run('/usr/sbin/nft', 'list', 'ruleset'), /comment/);
});
