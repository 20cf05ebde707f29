// `npm start`, twice: the first brings everything up and shows it, the second finds it there and changes nothing.
import test from 'ava';
import { finish } from '../helpers/run.ts';
import type { Finished } from '../helpers/run.ts';
import { cannotRunLab, root, TestLab } from './lab.ts';

const lab = new TestLab();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;
test.after.always(async () => {
  await lab.remove();
});

const start = (): Promise<Finished> => finish([process.execPath, 'lab/start.ts'], { cwd: root, env: { ...process.env, PODWIRE_STATE_DIR: lab.stateDir, NODE_OPTIONS: '' }, timeoutMs: 170_000 });

e2e('npm start prints nodes, pods, a matrix as expected and a delivered packet, says how to go on, and ends with 0', async (t) => {
  const { code, stdout, stderr } = await start();
  t.is(code, 0, stderr + stdout);
  t.regex(stderr, /Ready: 3 nodes/u);
  for (const node of ['node1', 'node2', 'node3']) t.regex(stdout, new RegExp(`^${node} +yes +10\\.`, 'mu'));
  t.is([...stdout.matchAll(/^default +web-\S+ +yes +Running +10\.244\./gmu)].length, 3);
  t.regex(stdout, /\d+ as expected, 0 not/u);
  t.regex(stdout, /^DELIVERED to podwire-matrix\/probe-node2-[ab] on node2/mu);
  t.true(stdout.includes(`export KUBECONFIG=${lab.names.kubeconfig}`));
});

e2e('a second npm start starts nothing', async (t) => {
  const { code, stdout, stderr } = await start();
  t.is(code, 0, stderr + stdout);
  t.regex(stderr, /Nodes: 3, 0 started/u);
  t.regex(stderr, /there already/u);
});

e2e('what npm start applied is unchanged for kubectl apply', async (t) => {
  const { code, stdout, stderr } = await lab.tryKubectl(['apply', '-f', 'lab/examples/demo.yaml']);
  t.is(code, 0, stderr);
  t.is(stdout, 'deployment.apps/web unchanged\nservice/web unchanged\n');
  t.is(stderr, '');
});
