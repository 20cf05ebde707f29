// Law: whatever the kernel holds and whatever the Node list becomes, one round of diff and apply makes the kernel equal to the list, and a second one finds nothing to do.
import fc from 'fast-check';
import test from 'ava';
import { addAddress, addLink, openRoute, setLink, unshareNetns } from '@podwire/netlink';
import { desiredPeers } from '../../cni/overlay/desired-peers.ts';
import { applyOperations, readRows } from '../../cni/overlay/kernel.ts';
import { desiredRows, diffRows } from '../../cni/overlay/rows.ts';
import type { NodeView, Rows, Self } from '../../cni/overlay/types.ts';

unshareNetns();
const rt = openRoute();
test.after.always(() => rt.close());
setLink(rt, 'lo', { up: true });
addLink(rt, { name: 'eth0', kind: 'veth', up: true, peer: { name: 'far', up: true } });
addAddress(rt, 'eth0', '172.30.0.1/24');
addAddress(rt, 'eth0', 'fd30::1/64', { nodad: true });
addLink(rt, { name: 'pw-cni0', kind: 'bridge', up: true });
addAddress(rt, 'pw-cni0', '10.244.1.1/24');
addLink(rt, { name: 'pw-vxlan', kind: 'vxlan', addrGenMode: 1, mtu: 1450, up: true, vxlan: { id: 4096, port: 8472, local: '172.30.0.1', learning: false } });
addAddress(rt, 'pw-vxlan', '10.244.1.0/32');
addAddress(rt, 'pw-vxlan', 'fd44:0:0:1::/128', { nodad: true });

const self: Self = {
  name: 'node1', mode: 'vxlan', directRouting: false, podCIDRs: ['10.244.1.0/24', 'fd44:0:0:1::/64'], nodeIPs: ['172.30.0.1', 'fd30::1'], serviceCIDRs: ['10.96.0.0/16', 'fd96::/112'], vtepMac: '02:00:00:00:00:01',
  vxlanDevice: 'pw-vxlan', bridge: 'pw-cni0', underlay: { name: 'eth0', prefixes: ['172.30.0.1/24', 'fd30::1/64'] },
};

/** A node that may have any of a few networks, addresses and MACs: they move between nodes from one list to the next. */
const node = (name: string): fc.Arbitrary<NodeView> => fc.record({
  name: fc.constant(name), createdAt: fc.constant(''), isPaused: fc.constant(false), networkUnavailable: fc.constant(undefined), publicIPs: fc.constant([]),
  podCIDRs: fc.integer({ min: 2, max: 5 }).map((n) => [`10.244.${n}.0/24`, `fd44:0:0:${n}::/64`]),
  internalIPs: fc.integer({ min: 2, max: 5 }).map((n) => [`172.30.0.${n}`, `fd30::${n}`]),
  vtepMac: fc.integer({ min: 2, max: 5 }).map((n) => `02:00:00:00:00:0${n}`),
});
const step = fc.record({ nodes: fc.tuple(...['node2', 'node3', 'node4'].map((name) => fc.option(node(name), { nil: undefined }))), mode: fc.constantFrom<Self['mode']>('vxlan', 'host-gw'), directRouting: fc.boolean() });
const text = (rows: Rows): string[] => [...rows.neighbours, ...rows.fdb, ...rows.routes].map((row) => JSON.stringify({ ...row, node: '' })).toSorted();

test('after any sequence of Node lists and modes the kernel holds exactly what the last one says', (t) => {
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
    for (const { nodes, mode, directRouting } of steps) {
      const now: Self = { ...self, mode, directRouting };
      const desired = desiredRows(desiredPeers(nodes.filter((each) => each !== undefined), now).peers, now);
      const failures = applyOperations(rt, 'pw-vxlan', diffRows(readRows(rt, 'pw-vxlan'), desired));
      t.deepEqual(failures.map(({ error }) => error.message), []);
      t.deepEqual(text(readRows(rt, 'pw-vxlan')), text(desired));
      t.deepEqual(diffRows(readRows(rt, 'pw-vxlan'), desired), []);
    }
  }), { numRuns: 60 });
});
