// Each fault by its command: in force once however often it is asked for, undone by name, and undone twice.
import test from 'ava';
import { activeFaults, applyFault, faults, undoFaults } from '../../lab/faults/index.ts';
import { nodeNetns } from '@podwire/lab';
import { eventually } from '../helpers/poll.ts';
import { succeed } from '../helpers/run.ts';
import { cannotRunLab } from './lab.ts';
import { pod, TraceScene } from './trace-scene.ts';

const scene = new TraceScene();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab === undefined) await scene.up(['--ip-family', 'dual']);
});
test.after.always(() => scene.lab.remove());

const shown = [
  'ip -4 route show', 'ip -6 route show', 'ip neigh show nud permanent', 'bridge fdb show dev pw-vxlan', 'ip -o link show pw-vxlan', 'ip -br link show eth0',
  'sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables', '/usr/sbin/nft list tables',
];

/** All that a fault may change in the nodes' kernels, in any order. */
async function kernelState(): Promise<string> {
  const texts = await Promise.all(['node1', 'node2', 'node3'].map(async (node) => {
    const netns = await nodeNetns(scene.lab.names, scene.handle.spec, node);
    return `${node}\n${(await succeed(['/usr/bin/nsenter', `--net=${netns}`, '--', '/bin/sh', '-c', shown.join('; ')])).split('\n').sort().join('\n')}`;
  }));
  return texts.join('\n');
}

for (const { name } of faults.filter(({ undoneByUp }) => undoneByUp !== true)) {
  e2e(`${name}: applied twice it is in force once, undone it leaves the kernel as it was, undone again it is success`, async (t) => {
    const before = await kernelState();
    const first = await scene.lab.podwire('fault', [name]);
    t.is(first.code, 0, first.stderr);
    await applyFault(scene.handle, name);
    t.is(activeFaults(scene.lab.names).length, 1);
    const undone = await scene.lab.podwire('fault', ['--undo', name]);
    t.is(undone.code, 0, undone.stderr);
    t.regex(undone.stdout, new RegExp(`undone: ${name}`));
    await eventually('the kernel as it was', async () => (await kernelState()) === before);
    t.deepEqual(await undoFaults(scene.handle, { name }), []);
  });
}

for (const { name } of faults.filter(({ undoneByUp }) => undoneByUp === true)) {
  e2e(`${name}: undone, the lab is whole`, async (t) => {
    await applyFault(scene.handle, name, { node: 'node3' });
    t.is((await scene.lab.podwire('status')).code, 1, 'the lab is not healthy');
    await undoFaults(scene.handle, { name });
    t.deepEqual(activeFaults(scene.lab.names), []);
    t.is((await scene.lab.podwire('status')).code, 0);
    await scene.delivered(pod(1), pod(2));
  });
}

e2e('two faults of one node: status shows both; undoing one keeps the other in force', async (t) => {
  await applyFault(scene.handle, 'no-route', { node: 'node1', peer: 'node2' });
  await applyFault(scene.handle, 'drop-fdb', { node: 'node1', peer: 'node3' });
  const { stdout } = await scene.lab.podwire('status', ['-o', 'json']);
  t.deepEqual((JSON.parse(stdout) as { readonly faults: unknown }).faults, [
    { name: 'no-route', text: 'no-route --node node1 --peer node2', node: 'node1' }, { name: 'drop-fdb', text: 'drop-fdb --node node1 --peer node3', node: 'node1' },
  ]);
  t.regex((await scene.lab.podwire('status')).stdout, /no-route --node node1 --peer node2 +podwire fault --undo no-route\n/);
  await undoFaults(scene.handle, { name: 'drop-fdb' });
  t.is((await scene.trace(pod(1), pod(2))).verdict, 'DROPPED');
  await scene.delivered(pod(1), pod(3));
  await undoFaults(scene.handle, { name: 'all' });
  await scene.delivered(pod(1), pod(2));
});

e2e('wrong input is exit code 2 and names what there is', async (t) => {
  for (const [args, message] of [
    [['nothing'], /no fault 'nothing'; there are: nft-drop, no-route/], [['no-route', '--node', 'node9'], /no node 'node9' in this lab; there are: node1, node2, node3/],
    [['no-route', '--node', 'node1', '--peer', 'node1'], /both node1; name two nodes/], [['mtu', '--mtu', '5'], /--mtu 5 is not from 68/], [[], /say one of: podwire fault NAME/], [['--undo', 'nothing'], /no fault 'nothing'/],
  ] as const) {
    const { code, stderr } = await scene.lab.podwire('fault', args);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, message);
  }
  const list = await scene.lab.podwire('fault', ['--list']);
  t.is(list.code, 0);
  t.regex(list.stdout, /in force: none/);
});
