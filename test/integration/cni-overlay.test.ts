// Three namespaces as nodes on a bridge underlay, one overlay each, a Node list in memory: the kernel equals the list, and packets arrive.
import test from 'ava';
import { activeFeatures, addAddress, addLink, addRoute, createNetns, deleteFdb, deleteLink, deleteNetns, getLink, getRoute, NUD_PERMANENT, openRoute, replaceFdb, replaceNeighbour, setLink, unshareNetns } from '@podwire/netlink';
import { vtepMacOf } from '../../cni/overlay/node-view.ts';
import { TestUnderlay, nodeObject, probe, rows, same, until, vxlanRows } from '../../cni/overlay/testing/cluster.ts';
import type { Cluster, TestNode } from '../../cni/overlay/testing/cluster.ts';
import { UdpPath } from '../../cni/overlay/testing/udp-probe.ts';

unshareNetns();
const underlay = new TestUnderlay();
const { nodes } = underlay;
const [node1, node2, node3] = nodes;
const pod = (n: number): string => underlay.pod(n);
const cluster = (t: Parameters<TestUnderlay['cluster']>[0], mode: 'vxlan' | 'host-gw'): Cluster => underlay.cluster(t, mode);
test.after.always(() => underlay[Symbol.dispose]());

test.serial('VXLAN: three nodes find each other, pods talk at the full MTU and no byte more, both families', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of nodes) list.put(nodeObject(node));
  for (const node of nodes) await start(node);
  await Promise.all(nodes.map(async (node) => overlay(node).synced));
  for (const node of nodes) await until(`${node.name} has its rows`, () => same(rows(node), vxlanRows(node, nodes)));
  t.is(overlay(node1).mtu, 1450);
  t.is(probe(pod(1), pod(2), '10.244.2.2', 1450), 'arrived');
  t.is(probe(pod(1), pod(2), '10.244.2.2', 1451), 'too big');
  t.is(probe(pod(1), pod(3), 'fd44:0:0:3::2', 1450), 'arrived');
  t.is(probe(pod(1), pod(3), 'fd44:0:0:3::2', 1451), 'too big');
  t.is(probe(node1.netns, pod(2), '10.244.2.2'), 'arrived', 'node to pod');
  using there = openRoute({ netns: node1.netns });
  t.is(getRoute(there, '10.96.0.10').dev, getLink(there, 'pw-cni0')?.index);
  t.like(getLink(there, 'pw-vxlan'), { mac: vtepMacOf('node1', 4096), mtu: 1450, vxlan: { id: 4096, port: 8472, local: '172.30.0.1', learning: false } });
  const self = list.node('node1');
  t.like(self?.metadata?.annotations, { 'podwire.io/public-ip': '172.30.0.1', 'podwire.io/public-ip-v6': 'fd30::1', 'podwire.io/vtep-mac': vtepMacOf('node1', 4096) });
  t.like(self?.status?.conditions?.find(({ type }) => type === 'NetworkUnavailable'), { status: 'False' });
});

test.serial('a node that leaves takes its rows along, one that joins brings them, and no packet between the others is lost', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of nodes) list.put(nodeObject(node));
  for (const node of nodes) await start(node);
  await Promise.all(nodes.map(async (node) => overlay(node).synced));
  await until('all rows', () => nodes.every((node) => same(rows(node), vxlanRows(node, nodes))));
  using path = new UdpPath(pod(1), pod(2), '10.244.2.2');
  const lost: number[] = [];
  let sent = 0;
  const flow = (check: () => boolean) => (): boolean => {
    for (let n = 0; n < 20; n += 1, sent += 1) if (path.send() !== 'arrived') lost.push(sent);
    return check();
  };
  list.remove('node3');
  await until('node3 is gone', flow(() => same(rows(node1), vxlanRows(node1, [node1, node2])) && same(rows(node2), vxlanRows(node2, [node1, node2]))));
  list.put(nodeObject(node3));
  await until('node3 is back', flow(() => nodes.every((node) => same(rows(node), vxlanRows(node, nodes)))));
  t.deepEqual(lost, [], `lost of ${sent} packets`);
  t.is(probe(pod(1), pod(3), '10.244.3.2'), 'arrived');
});

test.serial('a changed address or MAC of a peer replaces its rows; stale ones go, also those from before the start', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  using there = openRoute({ netns: node1.netns });
  replaceNeighbour(there, 'pw-vxlan', '10.244.9.0', '0e:00:00:00:00:09', NUD_PERMANENT);
  replaceFdb(there, 'pw-vxlan', { mac: '0e:00:00:00:00:09', dst: '172.30.0.9' });
  addRoute(there, { to: '10.244.9.0/24', via: '10.244.9.0', dev: 'pw-vxlan', onlink: true });
  list.put(nodeObject(node1));
  list.put({ ...nodeObject(node2), metadata: { name: 'node2', annotations: { 'podwire.io/vtep-mac': '0e:00:00:00:00:02' } } });
  await start(node1);
  await overlay(node1).synced;
  t.deepEqual(rows(node1), vxlanRows(node1, [node1, node2], () => '0e:00:00:00:00:02'));
  list.put({ ...nodeObject(node2), metadata: { name: 'node2', annotations: { 'podwire.io/vtep-mac': '0e:00:00:00:00:22' } } });
  await until('the new MAC', () => same(rows(node1), vxlanRows(node1, [node1, node2], () => '0e:00:00:00:00:22')));
  const moved = { ...node2, ip: '172.30.0.77' };
  list.put({ ...nodeObject(moved), metadata: { name: 'node2', annotations: { 'podwire.io/vtep-mac': '0e:00:00:00:00:22' } } });
  await until('the new address', () => same(rows(node1), vxlanRows(node1, [node1, moved], () => '0e:00:00:00:00:22')));
});

test.serial('what somebody removes or changes in the kernel is put right; a paused node is left alone', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of nodes) list.put({ ...nodeObject(node), metadata: { name: node.name, annotations: { 'podwire.io/vtep-mac': vtepMacOf(node.name, 4096) } } });
  await start(node1);
  await overlay(node1).synced;
  using there = openRoute({ netns: node1.netns });
  const isRight = (): boolean => same(rows(node1), vxlanRows(node1, nodes));
  t.true(isRight());
  deleteFdb(there, 'pw-vxlan', { mac: vtepMacOf('node2', 4096), dst: node2.ip });
  await until('the FDB entry is back', isRight);
  setLink(there, 'pw-vxlan', { mac: '0e:00:00:00:00:77' });
  await until('the MAC is right again', () => getLink(there, 'pw-vxlan')?.mac === vtepMacOf('node1', 4096));
  deleteLink(there, 'pw-vxlan');
  await until('device and rows are back', () => getLink(there, 'pw-vxlan') !== undefined && isRight());
  list.change('node1', (node) => ({ ...node, metadata: { ...node.metadata, annotations: { ...node.metadata?.annotations, 'podwire.io/overlay-paused': 'true' } } }));
  await until('it is paused', () => overlay(node1).state().isPaused);
  deleteLink(there, 'pw-vxlan');
  const lastSyncAt = overlay(node1).state().lastSyncAt ?? 0;
  overlay(node1).trigger();
  await until('a round while paused', () => (overlay(node1).state().lastSyncAt ?? 0) > lastSyncAt);
  t.is(getLink(there, 'pw-vxlan'), undefined);
});

test.serial('a node that got another address makes its VXLAN device anew and tells the others', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of [node1, node2]) list.put(nodeObject(node));
  await start(node2);
  const moved = { ...node1, ip: '172.30.0.91' };
  using there = openRoute({ netns: node1.netns });
  addAddress(there, 'eth0', '172.30.0.91/24');
  await start(moved);
  await Promise.all([node1, node2].map(async (node) => overlay(node).synced));
  t.is(getLink(there, 'pw-vxlan')?.vxlan?.local, '172.30.0.91');
  await until('both have the new address', () => same(rows(node2), vxlanRows(node2, [moved, node2])) && same(rows(node1), vxlanRows(node1, [node1, node2])));
  t.is(probe(pod(1), pod(2), '10.244.2.2'), 'arrived');
});

test.serial('VXLAN runs over an IPv6 underlay too, for both families of pods', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of [node1, node2]) list.put(nodeObject(node));
  for (const node of [node1, node2]) await start(node, { nodeIPs: [node.ip6, node.ip] });
  await Promise.all([node1, node2].map(async (node) => overlay(node).synced));
  t.is(overlay(node1).mtu, 1430);
  await until('rows', () => same(rows(node1), vxlanRows(node1, [{ ...node2, ip: node2.ip6 }])));
  t.is(probe(pod(1), pod(2), '10.244.2.2', 1430), 'arrived');
  t.is(probe(pod(1), pod(2), 'fd44:0:0:2::2', 1430), 'arrived');
  t.is(probe(node1.netns, pod(2), '10.244.2.2', 1431), 'too big');
});

test.serial('txChecksum false: the VXLAN device computes no checksums, packets arrive, and it is undone by true', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of [node1, node2]) list.put(nodeObject(node));
  const isOn = (): boolean => activeFeatures('pw-vxlan', { netns: node1.netns }).has('tx-checksum-ip-generic');
  for (const txChecksum of [false, true]) {
    for (const node of [node1, node2]) await start(node, { txChecksum });
    await Promise.all([node1, node2].map(async (node) => overlay(node).synced));
    await until('rows', () => [node1, node2].every((node) => same(rows(node), vxlanRows(node, [node1, node2]))));
    t.is(isOn(), txChecksum);
    t.is(probe(pod(1), pod(2), '10.244.2.2', 1000), 'arrived');
    await Promise.all([node1, node2].map(async (node) => overlay(node).stop()));
  }
});

test.serial('direct routing uses plain routes on the same L2 network', async (t) => {
  const { list, start, overlay } = cluster(t, 'vxlan');
  for (const node of nodes) list.put(nodeObject(node));
  for (const node of nodes) await start(node, { directRouting: true });
  await Promise.all(nodes.map(async (node) => overlay(node).synced));
  await until('direct routes', () => same(rows(node1), [node2, node3].flatMap((peer) => [`route ${peer.podCIDR} ${peer.ip} underlay`, `route ${peer.podCIDR6} ${peer.ip6} underlay`]).toSorted()));
  t.is(probe(pod(1), pod(2), '10.244.2.2'), 'arrived');
});

test.serial('host-gw: plain routes, no VXLAN device, the full MTU of the underlay', async (t) => {
  const { list, start, overlay } = cluster(t, 'host-gw');
  for (const node of nodes) list.put(nodeObject(node));
  for (const node of nodes) await start(node);
  await Promise.all(nodes.map(async (node) => overlay(node).synced));
  await until('host-gw routes', () => same(rows(node1), [node2, node3].flatMap((peer) => [`route ${peer.podCIDR} ${peer.ip} underlay`, `route ${peer.podCIDR6} ${peer.ip6} underlay`]).toSorted()));
  t.is(overlay(node1).mtu, 1500);
  using there = openRoute({ netns: node1.netns });
  t.is(getLink(there, 'pw-vxlan'), undefined);
  t.is(probe(pod(1), pod(2), '10.244.2.2'), 'arrived', 'IPv4');
  for (const n of [2, 3]) {
    using host = openRoute({ netns: nodes[n - 1]!.netns });
    using inside = openRoute({ netns: pod(n) });
    for (const [socket, dev] of [[host, 'pod0'], [host, 'pw-cni0'], [inside, 'eth0']] as const) setLink(socket, dev, { mtu: 1500 });
  }
  t.is(probe(pod(3), pod(2), 'fd44:0:0:2::2', 1500), 'arrived', 'IPv6, the full MTU');
  t.is(probe(pod(3), pod(2), '10.244.2.2', 1501), 'too big');
  t.is(list.node('node1')?.metadata?.annotations?.['podwire.io/vtep-mac'], undefined);
});

test.serial('pods leave the cluster with the node\'s address and keep their own inside it', async (t) => {
  const { list, start, overlay } = cluster(t, 'host-gw');
  for (const node of [node1, node2]) list.put(nodeObject(node));
  for (const node of [node1, node2]) await start(node);
  await Promise.all([node1, node2].map(async (node) => overlay(node).synced));
  await until('routes', () => rows(node1).length === 2 && rows(node2).length === 2);
  const source = (to: string, ip: string, from: string): string => {
    using path = new UdpPath(from, to, ip);
    return path.reach() === 'arrived' ? path.source : 'lost';
  };
  t.is(source(pod(2), '10.244.2.2', pod(1)), '10.244.1.2');
  t.is(source(node3.netns, node3.ip, pod(1)), node1.ip);
  t.is(source(node3.netns, node3.ip6, pod(1)), node1.ip6);
});

test.serial('what cannot be served is named and the rest is served', async (t) => {
  const { list, start, overlay, logs } = cluster(t, 'vxlan');
  const mac = (n: number): { 'podwire.io/vtep-mac': string } => ({ 'podwire.io/vtep-mac': `0e:00:00:00:00:0${n}` });
  list.put(nodeObject(node1));
  list.put({ ...nodeObject(node2), metadata: { name: 'node2', creationTimestamp: '2026-01-01T00:00:02Z', annotations: mac(2) } });
  list.put({ ...nodeObject(node3), metadata: { name: 'thief', creationTimestamp: '2026-01-01T00:00:09Z', annotations: mac(2) } });
  list.put({ metadata: { name: 'broken', annotations: mac(4) }, spec: { podCIDRs: ['10.244.300.0/24'] }, status: { addresses: [{ type: 'InternalIP', address: '172.30.0.8' }] } });
  await start(node1);
  await overlay(node1).synced;
  t.deepEqual(overlay(node1).state().peers, ['node2']);
  t.deepEqual(overlay(node1).state().problems.map(({ node }) => node).toSorted(), ['broken', 'thief']);
  t.true(logs.some((line) => line.includes('thief is left out') && line.includes('also the MAC of node2')), logs.join('\n'));
});

test.serial('what is in the way on the node itself is said with its remedy, and nothing is half done', async (t) => {
  const { start } = cluster(t, 'vxlan');
  const name = `ov${process.pid}-4`;
  const netns = createNetns(name);
  try {
    const odd: TestNode = { name: 'odd', n: 4, netns, ip: '172.30.0.4', ip6: 'fd30::4', podCIDR: '10.244.4.0/24', podCIDR6: 'fd44:0:0:4::/64' };
    using there = openRoute({ netns });
    await t.throwsAsync(start(odd), { message: "odd: overlay: no device holds the node's address 172.30.0.4; assign it, or name the right one with --node-ip" });
    await t.throwsAsync(start(odd, { nodeIPs: ['nonsense'] }), { message: /'nonsense' is not an IP address/ });
    await t.throwsAsync(start(odd, { underlayDevice: 'eth7' }), { message: /there is no device 'eth7' for the underlay/ });
    addLink(there, { name: 'eth0', kind: 'veth', up: true, peer: { name: 'far', up: true } });
    addAddress(there, 'eth0', '172.30.0.4/24');
    addLink(there, { name: 'flannel.1', kind: 'vxlan', vxlan: { id: 4096, port: 8472, local: '172.30.0.4', learning: false } });
    await t.throwsAsync(start(odd), { message: 'odd: overlay: the device flannel.1 uses VXLAN id 4096 on port 8472 already; delete it, or choose another id' });
    await t.throwsAsync(start(odd, { bridge: 'eth0' }), { message: 'odd: overlay: the device eth0 is not a bridge; remove it, or name another bridge' });
    t.is(getLink(there, 'pw-vxlan'), undefined);
  } finally {
    deleteNetns(name);
  }
});
