// `ip -j` prints what it likes: its JSON is read untyped here, and only here.
/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access */
// rtnetlink against the real kernel, in a namespace of this file's own: what we wrote is what `ip -d -j` reads.
import { execFileSync } from 'node:child_process';
import test from 'ava';
import {
  activeFeatures, addAddress, addLink, addRoute, addRule, addFdb, appendFdb, createNetns, deleteAddress, deleteFdb, deleteLink, deleteLinkGroup, deleteNeighbour, deleteNetns, deleteRoute, deleteRule, getLink, getRoute, listAddresses,
  listFdb, listLinks, listNeighbours, listRoutes, listRules, NetlinkError, openRoute, replaceFdb, replaceNeighbour, replaceRoute, setBridge, setBridgePort, setFeature, setLink, setSysctl, getSysctl, unshareNetns,
} from '../../packages/netlink/index.ts';

unshareNetns();
const rt = openRoute();
test.after.always(() => rt.close());
const run = (program: string, ...args: string[]): unknown => JSON.parse(execFileSync(program, args, { encoding: 'utf8' }) || '[]');
const ip = (...args: string[]): any => run('/sbin/ip', '-d', '-j', ...args);
const bridge = (...args: string[]): any => run('/sbin/bridge', '-d', '-j', ...args);
const code = (action: () => unknown): string => {
  try { action(); } catch (error) { if (error instanceof NetlinkError) return error.code; throw error; }
  return 'none';
};

setLink(rt, 'lo', { up: true });

test.serial('a bridge has the options that ip reads', (t) => {
  addLink(rt, { name: 'br0', kind: 'bridge', mtu: 1400, mac: '02:00:00:00:00:01', up: true, bridge: { stpState: 0, ageingTime: 1000, mcastSnooping: false, nfCallIptables: true } });
  const [seen] = ip('link', 'show', 'br0');
  t.like(seen, { ifname: 'br0', mtu: 1400, address: '02:00:00:00:00:01', linkinfo: { info_kind: 'bridge', info_data: { ageing_time: 1000, mcast_snooping: 0, nf_call_iptables: 1 } } });
  t.true(seen.flags.includes('UP'));
  setBridge(rt, 'br0', { ageingTime: 2000 });
  t.like(getLink(rt, 'br0'), { name: 'br0', kind: 'bridge', mtu: 1400, isUp: true, mac: '02:00:00:00:00:01', bridge: { ageingTime: 2000, mcastSnooping: false } });
});

test.serial('a veth pair is made with its peer in another namespace at once', (t) => {
  const path = createNetns(`nl-test-${process.pid}`);
  try {
    addLink(rt, { name: 'veth0', kind: 'veth', mtu: 1400, master: 'br0', up: true, group: 77, alias: 'pod a/b', peer: { name: 'eth0', netns: path, mac: '0a:00:00:00:00:02', mtu: 1400, up: true } });
    t.like(ip('link', 'show', 'veth0')[0], { master: 'br0', mtu: 1400, group: '77', linkinfo: { info_kind: 'veth', info_slave_kind: 'bridge' } });
    using inside = openRoute({ netns: path });
    const peer = getLink(inside, 'eth0');
    t.like(peer, { kind: 'veth', mac: '0a:00:00:00:00:02', isUp: true, mtu: 1400 });
    t.is(peer?.link, getLink(rt, 'veth0')?.index);
    t.is(getLink(rt, 'eth0'), undefined);
    t.deepEqual(listLinks(rt, { master: 'br0' }).map(({ name, alias }) => [name, alias]), [['veth0', 'pod a/b']]);
    setBridgePort(rt, 'veth0', { hairpin: true, isolated: true, learning: false });
    t.like(bridge('link', 'show', 'dev', 'veth0')[0], { hairpin: true, isolated: true, learning: false });
    t.like(getLink(rt, 'veth0')?.port, { hairpin: true, isolated: true, learning: false, flood: true });
    t.true(setSysctl(path, 'net.ipv4.ip_forward', 1));
    t.false(setSysctl(path, 'net.ipv4.ip_forward', '1'));
    t.is(getSysctl(undefined, 'net.ipv4.ip_forward'), '0');
    deleteLink(rt, 'veth0');
    t.is(getLink(inside, 'eth0'), undefined);
  } finally {
    deleteNetns(`nl-test-${process.pid}`);
  }
});

test.serial('links of a group go together', (t) => {
  for (const n of [1, 2, 3]) addLink(rt, { name: `g${n}a`, kind: 'veth', group: 4711, peer: { name: `g${n}b` } });
  deleteLinkGroup(rt, 4711);
  t.deepEqual(listLinks(rt, { kind: 'veth' }), []);
});

test.serial('addresses of both families', (t) => {
  addAddress(rt, 'br0', '10.1.0.1/24', { broadcast: '10.1.0.255' });
  addAddress(rt, 'br0', 'fd00:1::1/64', { nodad: true });
  t.deepEqual(ip('addr', 'show', 'dev', 'br0')[0].addr_info.filter((a: any) => a.scope === 'global').map((a: any) => `${a.local}/${a.prefixlen}`), ['10.1.0.1/24', 'fd00:1::1/64']);
  t.deepEqual(listAddresses(rt, { dev: 'br0' }).filter(({ scope }) => scope === 0).map(({ address, isTentative }) => [address, isTentative]), [['10.1.0.1/24', false], ['fd00:1::1/64', false]]);
  t.is(code(() => addAddress(rt, 'br0', '10.1.0.1/24')), 'EEXIST');
  addAddress(rt, 'br0', '10.9.0.1/24', { noprefixroute: true });
  deleteAddress(rt, 'br0', '10.9.0.1/24');
  t.is(code(() => deleteAddress(rt, 'br0', '10.9.0.1/24')), 'EADDRNOTAVAIL');
});

test.serial('routes: gateway, onlink, metrics, scope, table, type, both families', (t) => {
  addRoute(rt, { to: '10.2.0.0/24', via: '10.1.0.9', dev: 'br0', mtu: 1300, advmss: 1200, priority: 50 });
  addRoute(rt, { to: '10.3.0.0/24', via: '172.30.0.1', dev: 'br0', onlink: true });
  addRoute(rt, { to: '10.4.0.0/24', dev: 'br0', src: '10.1.0.1' });
  addRoute(rt, { to: '10.5.0.0/24', type: 'blackhole', table: 1000 });
  addRoute(rt, { to: 'fd00:2::/64', via: 'fd00:1::9', dev: 'br0' });
  addRoute(rt, { to: 'default', via: '10.1.0.254' });
  const shown = ip('route', 'show');
  t.like(shown.find((r: any) => r.dst === '10.2.0.0/24'), { gateway: '10.1.0.9', dev: 'br0', metric: 50, metrics: [{ mtu: 1300, advmss: 1200 }], protocol: 'static' });
  t.true(shown.find((r: any) => r.dst === '10.3.0.0/24').flags.includes('onlink'));
  t.like(shown.find((r: any) => r.dst === '10.4.0.0/24'), { scope: 'link', prefsrc: '10.1.0.1' });
  t.like(shown.find((r: any) => r.dst === 'default'), { gateway: '10.1.0.254' });
  t.like(ip('route', 'show', 'table', '1000')[0], { type: 'blackhole', dst: '10.5.0.0/24' });
  t.like(ip('-6', 'route', 'show', 'fd00:2::/64')[0], { gateway: 'fd00:1::9' });
  const own = listRoutes(rt, { protocol: 4 }).map(({ to, via, onlink, mtu }) => ({ to, via, onlink, mtu }));
  t.deepEqual(own.map(({ to }) => to).toSorted(), ['10.2.0.0/24', '10.3.0.0/24', '10.4.0.0/24', 'default', 'fd00:2::/64']);
  t.deepEqual(own.find(({ to }) => to === '10.2.0.0/24'), { to: '10.2.0.0/24', via: '10.1.0.9', onlink: false, mtu: 1300 });
  t.deepEqual(listRoutes(rt, { table: 1000 }).map(({ to, type }) => [to, type]), [['10.5.0.0/24', 'blackhole']]);
  t.deepEqual(listRoutes(rt, { table: 1001 }), []);
  replaceRoute(rt, { to: '10.3.0.0/24', via: '10.1.0.7', dev: 'br0' });
  t.is(getRoute(rt, '10.3.0.5').via, '10.1.0.7');
  t.is(getRoute(rt, '10.3.0.5', { isFibMatch: true }).to, '10.3.0.0/24');
  deleteRoute(rt, { to: '10.3.0.0/24' });
  deleteRoute(rt, { to: '10.4.0.0/24', dev: 'br0' });
  deleteRoute(rt, { to: 'fd00:2::/64' });
  deleteRoute(rt, { to: '10.5.0.0/24', table: 1000 });
  t.is(code(() => deleteRoute(rt, { to: '10.4.0.0/24', dev: 'br0' })), 'ESRCH');
});

test.serial('VXLAN with its options, neighbours and forwarding entries', (t) => {
  addLink(rt, { name: 'vx0', kind: 'vxlan', mac: '0e:00:00:00:00:01', mtu: 1350, up: true, addrGenMode: 1, vxlan: { id: 4096, port: 8472, local: '10.1.0.1', link: getLink(rt, 'br0')!.index, learning: false, portRange: [1000, 2000], df: 1 } });
  t.like(ip('link', 'show', 'vx0')[0], { address: '0e:00:00:00:00:01', mtu: 1350, inet6_addr_gen_mode: 'none', linkinfo: { info_kind: 'vxlan', info_data: { id: 4096, port: 8472, local: '10.1.0.1', link: 'br0', learning: false, port_range: { low: 1000, high: 2000 } } } });
  t.like(getLink(rt, 'vx0')?.vxlan, { id: 4096, port: 8472, local: '10.1.0.1', learning: false, portRange: [1000, 2000] });
  replaceNeighbour(rt, 'vx0', '10.244.2.0', '0e:00:00:00:00:02');
  addFdb(rt, 'vx0', { mac: '0e:00:00:00:00:02', dst: '10.1.0.2' });
  t.like(ip('neigh', 'show', 'dev', 'vx0')[0], { dst: '10.244.2.0', lladdr: '0e:00:00:00:00:02', state: ['PERMANENT'] });
  t.like(bridge('fdb', 'show', 'dev', 'vx0')[0], { mac: '0e:00:00:00:00:02', dst: '10.1.0.2', flags: ['self'], state: 'permanent' });
  replaceFdb(rt, 'vx0', { mac: '0e:00:00:00:00:02', dst: '10.1.0.3' });
  appendFdb(rt, 'vx0', { mac: '00:00:00:00:00:00', dst: '10.1.0.4' });
  appendFdb(rt, 'vx0', { mac: '00:00:00:00:00:00', dst: '10.1.0.5' });
  t.deepEqual(listFdb(rt, { dev: 'vx0' }).map(({ mac, dst, isSelf, isPermanent }) => [mac, dst, isSelf, isPermanent]).toSorted(), [
    ['00:00:00:00:00:00', '10.1.0.4', true, true], ['00:00:00:00:00:00', '10.1.0.5', true, true], ['0e:00:00:00:00:02', '10.1.0.3', true, true]]);
  t.deepEqual(listNeighbours(rt, { dev: 'vx0' }).map(({ ip: address, mac, isPermanent }) => [address, mac, isPermanent]), [['10.244.2.0', '0e:00:00:00:00:02', true]]);
  deleteFdb(rt, 'vx0', { mac: '00:00:00:00:00:00', dst: '10.1.0.4' });
  deleteFdb(rt, 'vx0', { mac: '0e:00:00:00:00:02', dst: '10.1.0.3' });
  deleteNeighbour(rt, 'vx0', '10.244.2.0');
  t.is(code(() => deleteNeighbour(rt, 'vx0', '10.244.2.0')), 'ENOENT');
  t.deepEqual(listFdb(rt, { dev: 'vx0' }).map(({ dst }) => dst), ['10.1.0.5']);
  t.deepEqual(listNeighbours(rt, { dev: 'vx0' }), []);
});

test.serial('policy rules', (t) => {
  addRule(rt, { family: 4, priority: 100, from: '10.7.0.0/16', fwmark: 1, fwmask: 3, table: 1000 });
  t.like(ip('rule', 'show').find((r: any) => r.priority === 100), { src: '10.7.0.0', srclen: 16, fwmark: '0x1', fwmask: '0x3', table: '1000' });
  t.like(listRules(rt, 4).find(({ priority }) => priority === 100), { from: '10.7.0.0/16', fwmark: 1, fwmask: 3, table: 1000 });
  deleteRule(rt, { family: 4, priority: 100, table: 1000 });
  t.false(listRules(rt, 4).some(({ priority }) => priority === 100));
});

test.serial('errors carry a stable code, the command and the kernel\'s own words', (t) => {
  t.is(code(() => addLink(rt, { name: 'br0', kind: 'bridge' })), 'EEXIST');
  const error = t.throws(() => addRoute(rt, { to: '10.8.0.0/24', via: '192.168.77.1' }), { instanceOf: NetlinkError });
  t.is(error.message, 'ip route add 10.8.0.0/24 via 192.168.77.1: ENETUNREACH Nexthop has invalid gateway');
  t.throws(() => setLink(rt, 'nothere', { up: true }), { message: /there is no device 'nothere' in this network namespace/ });
  t.throws(() => addLink(rt, { name: 'a-name-that-is-too-long', kind: 'bridge' }), { message: /1 to 15 bytes/ });
});

test('offload features are read and set by name, as ethtool shows them; what is not there is named', (t) => {
  using rt = openRoute();
  addLink(rt, { name: 'feat0', kind: 'veth', peer: { name: 'feat1' } });
  t.true(activeFeatures('feat0').has('tx-checksum-ip-generic'));
  setFeature('feat0', 'tx-checksum-ip-generic', false);
  t.false(activeFeatures('feat0').has('tx-checksum-ip-generic'));
  setFeature('feat0', 'tx-checksum-ip-generic', true);
  t.true(activeFeatures('feat0').has('tx-checksum-ip-generic'));
  t.throws(() => setFeature('feat0', 'nonsense', true), { code: 'EOPNOTSUPP', message: /^ethtool -K feat0 nonsense on: / });
  t.throws(() => activeFeatures('feat9'), { code: 'ENODEV' });
  deleteLink(rt, 'feat0');
});
