import test from 'ava';
import type { Pod, PodStatus } from '@podwire/kube-client';
import { aPod, aRuntimeContainer, memory, observed } from '../testing/fixtures.ts';
import { WorkerBench } from '../testing/worker-bench.ts';
import { Operations } from './operations.ts';
import { StatusReporter } from './status-reporter.ts';

const nowMs = Date.parse('2026-01-01T00:00:00.400Z');

/** A reporter whose writes wait until the test answers them. The clock stands: whatever is said again is said word for word. */
async function scene(): Promise<{ bench: WorkerBench; writes: PodStatus[]; answer: () => Promise<void>; report: (pod: Pod) => void }> {
  const bench = await WorkerBench.create();
  const writes: PodStatus[] = [];
  const waiting: (() => void)[] = [];
  Object.assign(bench.deps.api, { patchStatus: async (_pod: Pod, status: PodStatus) => {
    writes.push(status);
    return new Promise<void>((resolve) => { waiting.push(resolve); });
  } });
  const reporter = new StatusReporter(bench.deps, new Operations(bench.deps));
  return {
    bench, writes,
    answer: async () => {
      waiting.shift()?.();
      await new Promise(setImmediate);
    },
    report: (pod) => { reporter.report(pod, observed([aRuntimeContainer('main')]), memory(), new Map(), nowMs); },
  };
}

const at = (resourceVersion: string, status?: PodStatus): Pod => ({ ...aPod({}, { metadata: { resourceVersion } }), ...(status === undefined ? {} : { status }) });
const unready = (status: PodStatus | undefined): PodStatus => ({ ...status, conditions: (status?.conditions ?? []).map((one) => (one.type === 'Ready' ? { ...one, status: 'False', reason: 'NodeNotReady' } : one)) });

test('a status is written once, and once more each time that somebody else writes over it', async (t) => {
  const { bench, writes, answer, report } = await scene();
  await using _ = bench;
  report(at('1'));
  await answer();
  // The watch has not caught up, then it has.
  report(at('1'));
  report(at('2', writes[0]));
  t.is(writes.length, 1);
  // A node controller takes the pod for lost in the second in which it was reported ready.
  for (const [i, version] of ['3', '4'].entries()) {
    report(at(version, unready(writes[0])));
    t.is(writes.length, i + 2);
    t.deepEqual(writes[i + 1], writes[0]);
    await answer();
    report(at(version, unready(writes[0])));
    t.is(writes.length, i + 2, 'not again before the watch has caught up');
  }
});

test('one that is written over before the answer to it is there is written again after it', async (t) => {
  const { bench, writes, answer, report } = await scene();
  await using _ = bench;
  report(at('1'));
  report(at('1'));
  report(at('2', writes[0]));
  report(at('3', unready(writes[0])));
  t.is(writes.length, 1, 'one write at a time');
  await answer();
  t.is(writes.length, 2);
  await answer();
  report(at('4', writes[0]));
  t.is(writes.length, 2);
});
