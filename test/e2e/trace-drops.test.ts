// Why dropped: each fault of a node or of the overlay is injected, the trace names its place and what to do, and after the undo the
// same packet arrives.
import test from 'ava';
import { applyFault, undoFaults } from '../../lab/faults/index.ts';
import type { FaultFlags } from '../../lab/faults/index.ts';
import type { TraceOptions } from '../../lab/trace/index.ts';
import { cannotRunLab } from './lab.ts';
import { pod, service, TraceScene } from './trace-scene.ts';

const scene = new TraceScene();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab === undefined) await scene.up(['--ip-family', 'dual']);
});
test.after.always(() => scene.lab.remove());

interface Case {
  readonly cause: string;
  readonly fault: string;
  readonly flags?: FaultFlags;
  readonly from?: string;
  readonly to?: string;
  readonly options?: Partial<TraceOptions>;
  readonly where: RegExp;
  readonly reason: RegExp;
  readonly remedy: RegExp;
}

const cases: readonly Case[] = [
  { cause: 'a rule that drops', fault: 'nft-drop', flags: { node: 'node2', port: 8080 }, where: /^node2\/tcp-8080$/, reason: /table podwire-fault.*tcp dport 8080 drop/, remedy: /nft -a list chain inet podwire-fault/ },
  { cause: 'a missing route', fault: 'no-route', where: /^node1$/, reason: /no route to 10\.244\.\d\.0\/24, the pods of node2/, remedy: /agent of node1/ },
  { cause: 'a missing FDB entry', fault: 'drop-fdb', where: /^node1\/pw-vxlan$/, reason: /NO_TX_TARGET.*FDB/, remedy: /bridge fdb/ },
  { cause: 'a missing neighbour', fault: 'drop-neighbour', where: /^node1\/pw-vxlan$/, reason: /no neighbour entry.*node2/, remedy: /agent of node1/ },
  { cause: 'rp_filter', fault: 'rp-filter', flags: { node: 'node2', peer: 'node1' }, where: /^node2\/pw-vxlan$/, reason: /IP_RPFILTER/, remedy: /rp_filter/ },
  { cause: 'ip_forward off at the receiver', fault: 'ip-forward-off', flags: { node: 'node2' }, where: /^node2\/pw-vxlan$/, reason: /ip_forward is off/, remedy: /ip_forward=1/ },
  { cause: 'ip_forward off at the sender', fault: 'ip-forward-off', flags: { node: 'node1' }, where: /^node1\/pw-cni0$/, reason: /ip_forward is off/, remedy: /ip_forward=1/ },
  { cause: 'bridge-nf-call off', fault: 'bridge-nf-off', from: pod(1, 'b'), to: service('own-node1'), where: /^node1\/bridge$/, reason: /answer is lost on its way back: bridge-nf-call-iptables is off/, remedy: /bridge-nf-call-iptables=1/ },
  { cause: 'an MTU that is too small for a packet that must not be fragmented', fault: 'mtu', options: { protocol: 'udp', size: 1300 }, where: /^node1\//, reason: /PKT_TOO_BIG.*1000 bytes/, remedy: /MTU/ },
  { cause: 'a VXLAN MAC that sender and receiver share', fault: 'duplicate-vxlan-mac', where: /node1\/pw-vxlan and node2\/pw-vxlan/, reason: /duplicate VXLAN MAC|LOCAL_MAC/, remedy: /MAC/ },
  { cause: 'a VXLAN MAC that two receivers share', fault: 'duplicate-vxlan-mac', flags: { node: 'node2', peer: 'node3' }, where: /node2\/pw-vxlan and node3\/pw-vxlan/, reason: /duplicate VXLAN MAC/, remedy: /MAC/ },
  { cause: 'a node that is cut off', fault: 'link-down', flags: { node: 'node2' }, where: /^node2\/eth0$/, reason: /no carrier/, remedy: /cable/ },
  { cause: 'a node that is cut off, behind a Service', fault: 'link-down', flags: { node: 'node2' }, to: service('on-node2'), where: /^node2\/eth0$/, reason: /no carrier/, remedy: /cable/ },
  { cause: 'IPv6: a missing route', fault: 'no-route', options: { family: 'IPv6' }, where: /^node1$/, reason: /no route to fd00:.*, the pods of node2/, remedy: /agent of node1/ },
  { cause: 'IPv6: a missing FDB entry', fault: 'drop-fdb', options: { family: 'IPv6' }, where: /^node1\/pw-vxlan$/, reason: /NO_TX_TARGET.*FDB/, remedy: /bridge fdb/ },
  { cause: 'IPv6: a missing neighbour', fault: 'drop-neighbour', options: { family: 'IPv6' }, where: /^node1\/pw-vxlan$/, reason: /no neighbour entry.*node2/, remedy: /agent of node1/ },
  { cause: 'IPv6: forwarding off at the receiver', fault: 'ip-forward-off', flags: { node: 'node2' }, options: { family: 'IPv6' }, where: /^node2/, reason: /net\.ipv6\.conf\.all\.forwarding is off/, remedy: /net\.ipv6\.conf\.all\.forwarding=1/ },
  { cause: 'IPv6: bridge-nf-call off', fault: 'bridge-nf-off', from: pod(1, 'b'), to: service('own-node1'), options: { family: 'IPv6' }, where: /^node1\/bridge$/, reason: /answer is lost on its way back: bridge-nf-call-ip6tables is off/, remedy: /bridge-nf-call-ip6tables=1/ },
  { cause: 'IPv6: an MTU that is too small', fault: 'mtu', flags: { mtu: 1300 }, options: { protocol: 'udp', size: 1340, family: 'IPv6' }, where: /^node1\//, reason: /PKT_TOO_BIG.*1300 bytes/, remedy: /MTU/ },
];

for (const { cause, fault, flags = {}, from = pod(1), to = pod(2), options = {}, where, reason, remedy } of cases) {
  e2e(`${cause}: the trace names place, reason and remedy; undone, the packet arrives`, async (t) => {
    try {
      await applyFault(scene.handle, fault, flags);
      const trace = await scene.trace(from, to, options);
      t.is(trace.verdict, 'DROPPED', JSON.stringify(trace.hops.at(-1)));
      t.regex(trace.where, where);
      t.regex(trace.reason, reason);
      t.regex(trace.remedy, remedy);
      t.false(trace.agrees, 'the model foretold delivery');
      t.true(trace.hops.length > 0);
    } finally {
      await undoFaults(scene.handle, { name: 'all' });
    }
    const healed = await scene.delivered(from, to, options);
    t.true(healed.agrees);
  });
}
