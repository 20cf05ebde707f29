import fc from 'fast-check';
import test from 'ava';
import { cidrsOverlap, parseCidr } from '../ipam/address.ts';
import { Claims } from './claims.ts';
import { desiredPeers } from './desired-peers.ts';
import { desiredEgress } from './egress.ts';
import { desiredAnnotations, isNetworkReported, isPublished } from './node-contract.ts';
import { nodeView, vtepMacOf } from './node-view.ts';
import { desiredRows, diffRows } from './rows.ts';
import type { NodeView, Operation, Row, Rows, Self } from './types.ts';

const self: Self = {
  name: 'node1', mode: 'vxlan', directRouting: false, podCIDRs: ['10.244.1.0/24', 'fd44:0:0:1::/64'], nodeIPs: ['172.30.0.1', 'fd30::1'], serviceCIDRs: ['10.96.0.0/16'], vtepMac: '02:00:00:00:00:01',
  vxlanDevice: 'pw-vxlan', bridge: 'pw-cni0', underlay: { name: 'eth0', prefixes: ['172.30.0.1/24', 'fd30::1/64'] },
};
const view = (n: number, more: Partial<NodeView> = {}): NodeView => ({
  name: `node${n}`, createdAt: `2026-01-01T00:00:0${n}Z`, podCIDRs: [`10.244.${n}.0/24`], internalIPs: [`172.30.0.${n}`], publicIPs: [], vtepMac: `02:00:00:00:00:0${n}`, isPaused: false, networkUnavailable: undefined, ...more,
});

test('a peer is reached over VXLAN through the first address of its podCIDR', (t) => {
  t.deepEqual(desiredPeers([view(1), view(2)], self), {
    peers: [{ node: 'node2', routes: [{ podCIDR: '10.244.2.0/24', via: '10.244.2.0', method: 'vxlan' }], vtep: { mac: '02:00:00:00:00:02', address: '172.30.0.2' } }], problems: [],
  });
});

test('a published address goes before the InternalIP', (t) => {
  t.is(desiredPeers([view(2, { publicIPs: ['203.0.113.2'] })], self).peers[0]?.vtep?.address, '203.0.113.2');
});

test('a node that has not published its MAC yet is awaited without complaint', (t) => {
  t.deepEqual(desiredPeers([view(2, { vtepMac: undefined })], self), { peers: [], problems: [] });
});

test('direct routing goes by L2 neighbourhood, peer by peer', (t) => {
  const { peers } = desiredPeers([view(2), view(3, { internalIPs: ['192.168.9.3'] })], { ...self, directRouting: true });
  t.deepEqual(peers.map(({ routes, vtep }) => [routes[0]?.method, routes[0]?.via, vtep?.address]), [['direct', '172.30.0.2', undefined], ['vxlan', '10.244.3.0', '192.168.9.3']]);
});

test('host-gw says which peer is not on the L2 network', (t) => {
  const { peers, problems } = desiredPeers([view(2), view(3, { internalIPs: ['192.168.9.3'] })], { ...self, mode: 'host-gw' });
  t.deepEqual(peers.map(({ node }) => node), ['node2']);
  t.deepEqual(problems, [{ node: 'node3', text: '192.168.9.3 is not on the network of eth0; host-gw needs all nodes on one L2 network, use vxlan' }]);
});

for (const [what, more, text] of [
  ['a podCIDR that is another node\'s', { podCIDRs: ['10.244.2.0/25'] }, 'podCIDR 10.244.2.0/25 overlaps a podCIDR of node2'],
  ['a podCIDR that is this node\'s own', { podCIDRs: ['10.244.1.128/25'] }, 'podCIDR 10.244.1.128/25 overlaps a podCIDR of node1'],
  ['a podCIDR that is no network', { podCIDRs: ['10.244.3.7/24'] }, "podCIDR '10.244.3.7/24' is not a network such as 10.244.1.0/24"],
  ['an address that is another node\'s', { internalIPs: ['172.30.0.2'] }, 'its address 172.30.0.2 is the address of node2; each node needs its own'],
  ['a MAC that is this node\'s own', { vtepMac: self.vtepMac }, 'its VTEP MAC 02:00:00:00:00:01 is also the MAC of node1; frames for the two cannot be told apart'],
  ['a multicast MAC', { vtepMac: '01:00:5e:00:00:01' }, "its VTEP MAC '01:00:5e:00:00:01' is not a unicast MAC address"],
  ['no address of the VXLAN\'s family', { internalIPs: ['fd30::3'] }, 'it has no IPv4 InternalIP, over which this node\'s VXLAN runs'],
] as const) {
  test(`${what} leaves that node out and no other, in any order of the list`, (t) => {
    const nodes = [view(1), view(2), view(3, more)];
    for (const order of [nodes, nodes.toReversed()]) {
      const { peers, problems } = desiredPeers(order, self);
      t.deepEqual(peers.map(({ node }) => node), ['node2']);
      t.deepEqual(problems, [{ node: 'node3', text }]);
    }
  });
}

test('rows of a peer: neighbour and route per family, one FDB entry', (t) => {
  const { peers } = desiredPeers([view(2, { podCIDRs: ['10.244.2.0/24', 'fd44:0:0:2::/64'], internalIPs: ['172.30.0.2', 'fd30::2'] })], self);
  t.deepEqual(desiredRows(peers, self), {
    neighbours: [{ node: 'node2', ip: '10.244.2.0', mac: '02:00:00:00:00:02' }, { node: 'node2', ip: 'fd44:0:0:2::', mac: '02:00:00:00:00:02' }],
    fdb: [{ node: 'node2', mac: '02:00:00:00:00:02', dst: '172.30.0.2' }],
    routes: [
      { node: '', to: '10.96.0.0/16', via: undefined, dev: 'pw-cni0', onlink: false },
      { node: 'node2', to: '10.244.2.0/24', via: '10.244.2.0', dev: 'pw-vxlan', onlink: true },
      { node: 'node2', to: 'fd44:0:0:2::/64', via: 'fd44:0:0:2::', dev: 'pw-vxlan', onlink: true },
    ],
  });
});

test('a peer arrives with its route last and leaves with its route first', (t) => {
  const rows = desiredRows(desiredPeers([view(2)], self).peers, { ...self, serviceCIDRs: [] });
  const none: Rows = { neighbours: [], fdb: [], routes: [] };
  t.deepEqual(diffRows(none, rows).map((operation) => operation.do), ['set-neighbour', 'set-fdb', 'set-route']);
  t.deepEqual(diffRows(rows, none).map((operation) => operation.do), ['delete-route', 'delete-fdb', 'delete-neighbour']);
});

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const mac = oneOf('02:00:00:00:00:02', '02:00:00:00:00:03', '02:00:00:00:00:04');
const ip = oneOf('10.244.2.0', '10.244.3.0', 'fd44:0:0:2::');
const rowsOf = (isKeyed: boolean): fc.Arbitrary<Rows> => {
  const list = <R>(row: fc.Arbitrary<R>, key: (r: R) => string): fc.Arbitrary<R[]> => (isKeyed ? fc.uniqueArray(row, { selector: key }) : fc.uniqueArray(row, { selector: (r) => JSON.stringify(r) }));
  return fc.record({
    neighbours: isKeyed ? list(fc.record({ node: fc.constant(''), ip, mac }), (r) => r.ip) : fc.uniqueArray(fc.record({ node: fc.constant(''), ip, mac }), { selector: (r) => r.ip }),
    fdb: list(fc.record({ node: fc.constant(''), mac, dst: oneOf('172.30.0.2', '172.30.0.3') }), (r) => r.mac),
    routes: list(fc.record({ node: fc.constant(''), to: oneOf('10.244.2.0/24', 'fd44:0:0:2::/64', '10.96.0.0/16'), via: oneOf(undefined, '10.244.2.0', '172.30.0.2'), dev: oneOf('pw-vxlan', 'eth0'), onlink: fc.boolean() }), (r) => r.to),
  });
};

const without = <R extends Row>(rows: readonly R[], gone: R): R[] => rows.filter((row) => JSON.stringify({ ...row, node: '' }) !== JSON.stringify({ ...gone, node: '' }));
/** What the kernel does, less its checks: `set` puts one row in the place of the first with that key. */
function apply(rows: Rows, operation: Operation): Rows {
  const put = <R extends Row>(list: readonly R[], row: R, key: (r: R) => string): R[] => {
    const at = list.findIndex((each) => key(each) === key(row));
    return at === -1 ? [...list, row] : list.with(at, row);
  };
  switch (operation.do) {
    case 'set-neighbour': return { ...rows, neighbours: put(rows.neighbours, operation.row, (r) => r.ip) };
    case 'set-fdb': return { ...rows, fdb: put(rows.fdb, operation.row, (r) => r.mac) };
    case 'set-route': return { ...rows, routes: put(rows.routes, operation.row, (r) => r.to) };
    case 'delete-route': return { ...rows, routes: without(rows.routes, operation.row) };
    case 'delete-fdb': return { ...rows, fdb: without(rows.fdb, operation.row) };
    case 'delete-neighbour': return { ...rows, neighbours: without(rows.neighbours, operation.row) };
  }
}
const sorted = (rows: Rows): string[] => [...rows.neighbours, ...rows.fdb, ...rows.routes].map((row) => JSON.stringify(row)).toSorted();

test('diff(x, x) is empty', (t) => {
  fc.assert(fc.property(rowsOf(true), (rows) => { t.deepEqual(diffRows(rows, rows), []); }));
});

test('applying diff(a, b) to a gives b', (t) => {
  fc.assert(fc.property(rowsOf(true), rowsOf(true), (a, b) => { t.deepEqual(sorted(diffRows(a, b).reduce(apply, a)), sorted(b)); }));
});

test('from a kernel with several rows of one key, two rounds suffice', (t) => {
  fc.assert(fc.property(rowsOf(false), rowsOf(true), (a, b) => {
    const once = diffRows(a, b).reduce(apply, a);
    t.deepEqual(sorted(diffRows(once, b).reduce(apply, once)), sorted(b));
  }));
});

test('any Node list is served without a crash, and no two peers share a network, an address or a MAC', (t) => {
  const text = oneOf('10.244.2.0/24', '10.244.3.0/24', '10.244.2.128/25', '172.30.0.2', '172.30.0.3', 'fd30::2', '02:00:00:00:00:02', 'zz', '', '10.244.1.0/24', '::/0', '1.2.3.4/33');
  const hostile = fc.record({
    metadata: fc.record({ name: oneOf('node1', 'node2', 'node3', 'node4', ''), annotations: fc.dictionary(oneOf('podwire.io/public-ip', 'podwire.io/vtep-mac'), text) }),
    spec: oneOf<unknown>(undefined, {}, { podCIDR: '10.244.5.0/24' }, { podCIDRs: 7 }, { podCIDRs: ['10.244.2.0/24', null] }, { podCIDRs: ['10.244.3.0/24'] }),
    status: oneOf<unknown>(undefined, {}, { addresses: [] }, { addresses: [{ type: 'InternalIP', address: '172.30.0.2' }] }, { addresses: [{ type: 'InternalIP', address: '172.30.0.3' }] }, { addresses: [{ type: 'InternalIP', address: '' }] }),
  });
  fc.assert(fc.property(fc.uniqueArray(hostile, { selector: ({ metadata }) => metadata.name }), oneOf<Self['mode']>('vxlan', 'host-gw'), (nodes, mode) => {
    const { peers } = desiredPeers(nodes.map((node) => nodeView(node as Parameters<typeof nodeView>[0])), { ...self, mode });
    for (const list of [peers.flatMap(({ routes }) => routes.map(({ podCIDR }) => podCIDR)), peers.flatMap(({ vtep }) => (vtep === undefined ? [] : [vtep.mac])), peers.flatMap(({ vtep }) => (vtep === undefined ? [] : [vtep.address]))]) t.is(new Set(list).size, list.length);
    t.false(peers.some(({ node }) => node === 'node1'));
  }));
});

test('egress exempts the cluster\'s networks and leaves out what lies inside another', (t) => {
  t.deepEqual(desiredEgress(['10.244.1.0/24', 'fd44:0:0:1::/64'], ['10.244.0.0/16', 'fd44::/48', '10.244.2.0/24', '192.168.0.0/24', '192.168.0.0/24']), [
    { family: 4, source: '10.244.1.0/24', exempt: ['10.244.0.0/16', '192.168.0.0/24'] }, { family: 6, source: 'fd44:0:0:1::/64', exempt: ['fd44::/48'] },
  ]);
});

test('claims find an overlap exactly when there is one', (t) => {
  const cidr = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 22, max: 32 })).map(([n, length]) => parseCidr(`10.244.${n >> 6}.${(n & 63) * 4}/${length}`)!);
  fc.assert(fc.property(fc.array(cidr, { maxLength: 40 }), (list) => {
    const claims = new Claims();
    const taken: typeof list = [];
    for (const each of list) {
      const other = claims.holder(each);
      t.is(other !== undefined, taken.some((one) => cidrsOverlap(one, each)));
      if (other !== undefined) continue;
      claims.add(each, `${taken.length}`);
      taken.push(each);
    }
  }));
});

test('a VTEP MAC is unicast, locally administered, and differs between nodes', (t) => {
  const macs = Array.from({ length: 1000 }, (_unused, n) => vtepMacOf(`node${n}`, 4096));
  t.is(new Set(macs).size, 1000);
  t.true(macs.every((each) => /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/.test(each)));
});

test('a Node that says all it should is not written again', (t) => {
  const annotations = Object.fromEntries(Object.entries(desiredAnnotations(self)).filter((pair): pair is [string, string] => pair[1] !== null));
  const published = nodeView({ metadata: { name: 'node1', annotations }, status: { conditions: [{ type: 'NetworkUnavailable', status: 'False', reason: 'PodwireOverlayIsUp' }] } });
  t.true(isPublished(published, self));
  t.false(isPublished(published, { ...self, mode: 'host-gw' }));
  t.true(isNetworkReported(published));
  t.false(isNetworkReported(nodeView({ metadata: { name: 'node1' } })));
});
