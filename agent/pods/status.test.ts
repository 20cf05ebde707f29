import test from 'ava';
import { aContainer, aPod, aRuntimeContainer as run, memory, observed } from '../testing/fixtures.ts';
import { emptyMemory } from './observed.ts';
import type { Memory, Observed } from './observed.ts';
import { podStatus, statusPatch } from './status.ts';
import type { StatusFacts } from './status.ts';

const now = Date.parse('2026-11-25T12:00:00Z');
const facts = (pod: ReturnType<typeof aPod>, seen: Observed, remembered: Memory = emptyMemory): StatusFacts => ({ pod, observed: seen, memory: remembered, now, hostIPs: ['10.0.0.1'], messages: new Map() });
const nothing: Observed = { sandboxes: [], containers: [], network: undefined };
const condition = (status: ReturnType<typeof podStatus>, type: string): string | undefined => status.conditions?.find((one) => one.type === type)?.status;
const ended = { state: 'exited' as const, startedAt: now - 2000, finishedAt: now - 1000 };

const phases: readonly [string, ReturnType<typeof aPod>, Observed, string][] = [
  ['a pod of which nothing runs yet is Pending', aPod(), nothing, 'Pending'],
  ['a pod whose containers run is Running', aPod(), observed([run('main')]), 'Running'],
  ['a pod with one container not started yet is Pending', aPod({ containers: [aContainer('a'), aContainer('b')] }), observed([run('a')]), 'Pending'],
  ['a pod in its init containers is Pending', aPod({ initContainers: [aContainer('i')] }), observed([run('i')]), 'Pending'],
  ['a pod that always restarts stays Running when all have ended', aPod(), observed([run('main', ended)]), 'Running'],
  ['a pod whose containers succeeded is Succeeded', aPod({ restartPolicy: 'OnFailure' }), observed([run('main', ended)]), 'Succeeded'],
  ['a pod that never restarts is Failed after a failure', aPod({ restartPolicy: 'Never' }), observed([run('main', { ...ended, exitCode: 1 })]), 'Failed'],
  ['a pod that restarts on failure is Running after one', aPod({ restartPolicy: 'OnFailure' }), observed([run('main', { ...ended, exitCode: 1 })]), 'Running'],
  ['a failed init container fails a pod that never restarts', aPod({ restartPolicy: 'Never', initContainers: [aContainer('i')] }), observed([run('i', { ...ended, exitCode: 1 })]), 'Failed'],
];
for (const [title, pod, seen, phase] of phases) test(title, (t) => t.is(podStatus(facts(pod, seen)).phase, phase));

test('a running container without probes makes its pod Ready', (t) => {
  const status = podStatus(facts(aPod(), observed([run('main')])));
  t.is(condition(status, 'Ready'), 'True');
  t.is(condition(status, 'PodReadyToStartContainers'), 'True');
  t.deepEqual(status.podIPs, [{ ip: '10.244.1.5' }]);
  t.true(status.containerStatuses?.[0]?.ready);
});

test('a readiness probe that has not passed keeps the pod unready and says which container', (t) => {
  const pod = aPod({ containers: [aContainer('main', { readinessProbe: {} })] });
  const status = podStatus(facts(pod, observed([run('main')]), memory({ probes: new Map([['main', { containerId: 'main-0', started: true, ready: false, unhealthy: undefined }]]) })));
  const ready = status.conditions?.find((one) => one.type === 'Ready');
  t.is(ready?.status, 'False');
  t.is(ready?.message, 'containers with unready status: [main]');
});

test('a container whose postStart hook runs is not ready', (t) => {
  const status = podStatus(facts(aPod(), observed([run('main')]), memory({ hooksPending: new Set(['main-0']) })));
  t.is(condition(status, 'Ready'), 'False');
});

test('a container held back after crashes waits with CrashLoopBackOff and keeps its last state', (t) => {
  const status = podStatus(facts(aPod(), observed([run('main', { ...ended, exitCode: 2, attempt: 2, crashes: 2 })])));
  const main = status.containerStatuses?.[0];
  t.is(main?.state?.waiting?.reason, 'CrashLoopBackOff');
  t.true(main?.state?.waiting?.message?.startsWith('back-off 20s restarting failed container=main'));
  t.is(main?.lastState?.terminated?.exitCode, 2);
  t.is(main?.restartCount, 2);
});

test('a failed pull is ErrImagePull at first and ImagePullBackOff while it waits', (t) => {
  const failed = (at: number): string | undefined => podStatus(facts(aPod(), observed([]), memory({ failures: new Map([['main', { count: 1, at, reason: 'ErrImagePull', message: 'no such host' }]]) }))).containerStatuses?.[0]?.state?.waiting?.reason;
  t.is(failed(now - 100), 'ErrImagePull');
  t.is(failed(now - 5000), 'ImagePullBackOff');
});

test('a container killed for memory says OOMKilled', (t) => {
  const status = podStatus(facts(aPod({ restartPolicy: 'Never' }), observed([run('main', { ...ended, exitCode: 137, oomKilled: true })])));
  t.is(status.containerStatuses?.[0]?.state?.terminated?.reason, 'OOMKilled');
});

test('a condition keeps its transition time while its status stays the same', (t) => {
  const before = { status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' }, { type: 'example.com/gate', status: 'True' }] } };
  const status = podStatus(facts(aPod({}, before), observed([run('main')])));
  t.is(status.conditions?.find((one) => one.type === 'Ready')?.lastTransitionTime, '2020-01-01T00:00:00Z');
  t.is(condition(status, 'example.com/gate'), 'True');
});

test('a readiness gate that nobody has opened keeps the pod unready but its containers ready', (t) => {
  const status = podStatus(facts(aPod({ readinessGates: [{ conditionType: 'example.com/gate' }] }), observed([run('main')])));
  t.is(condition(status, 'ContainersReady'), 'True');
  t.is(condition(status, 'Ready'), 'False');
});

test('an evicted pod is Failed with the reason', (t) => {
  const status = podStatus(facts(aPod(), observed([]), memory({ ended: { reason: 'Evicted', message: 'The node was low on resource: memory.' } })));
  t.is(status.phase, 'Failed');
  t.is(status.reason, 'Evicted');
});

test('a field that is gone is removed by the patch', (t) => {
  t.is(statusPatch({ podIP: '10.244.1.5' }, { phase: 'Running' })['podIP'], null);
});
