// Every lesson runs from start to end on a real lab, and each of its steps is as foretold; one that is interrupted leaves the cluster healed.
import test from 'ava';
import { activeFaults } from '../../lab/faults/index.ts';
import { lessons } from '../../lab/walkthroughs/catalogue.ts';
import { background } from '../helpers/run.ts';
import { eventually } from '../helpers/poll.ts';
import { cannotRunLab, launcher } from './lab.ts';
import { pod, service, TraceScene } from './trace-scene.ts';

const scene = new TraceScene();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab === undefined) await scene.up();
});
test.after.always(() => scene.lab.remove());

for (const { name, title } of lessons) {
  e2e(`walkthrough ${name} (${title}): every step as foretold, and no fault left behind`, async (t) => {
    const { code, stdout, stderr } = await scene.lab.podwire('walkthrough', [name]);
    t.is(code, 0, stdout + stderr);
    t.false(stdout.includes('NOT AS FORETOLD'));
    t.true(stdout.includes('The cluster is healed'));
    t.deepEqual(activeFaults(scene.lab.names), []);
  });
}

e2e('a walkthrough that is interrupted while a fault is in force heals the cluster, and says so', async (t) => {
  const running = background([launcher, 'walkthrough', 'across-nodes', '--state-dir', scene.lab.stateDir]);
  await eventually('a fault is in force', () => activeFaults(scene.lab.names).length > 0, { timeoutMs: 90_000, intervalMs: 10 });
  const ended = new Promise<number | null>((resolve) => { running.child.once('close', resolve); });
  running.child.kill('SIGINT');
  t.is(await ended, 2, running.output());
  t.regex(running.output(), /interrupted; the cluster is healed/);
  t.deepEqual(activeFaults(scene.lab.names), []);
  await scene.delivered(pod(1), pod(2));
  t.true((await scene.delivered(pod(1), service('on-node2'))).agrees);
});

e2e('wrong input is exit code 2 with a remedy; the list needs no lab', async (t) => {
  const unknown = await scene.lab.podwire('walkthrough', ['nothing']);
  t.is(unknown.code, 2);
  t.regex(unknown.stderr, /no walkthrough 'nothing'; there are: pod-to-pod/);
  const list = await scene.lab.podwire('walkthrough', ['--list'], { env: { ...process.env, PODWIRE_STATE_DIR: '/nonexistent' } });
  t.is(list.code, 0, list.stderr);
  t.true(lessons.every(({ name }) => list.stdout.includes(name)));
});
