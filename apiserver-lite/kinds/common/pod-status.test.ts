import test from 'ava';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Loose } from './loose.ts';
import { podSummary } from './pod-status.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const running = { state: { running: {} }, ready: true };
const ready = [{ type: 'Ready', status: 'True' }];
const pod = (status: Loose<Pod>['status'], rest: Loose<Pod> = {}): Loose<Pod> => ({ spec: { containers: [{ name: 'a' }] }, ...rest, status });
const two: Loose<Pod> = { spec: { containers: [{ name: 'a' }, { name: 'b' }] } };
const withInit = (...init: NonNullable<Loose<Pod>['spec']>['initContainers'] & object): Loose<Pod> => ({ spec: { initContainers: init, containers: [{ name: 'a' }] } });

const cases: readonly [title: string, pod: Loose<Pod>, expected: string][] = [
  ['a pod nobody runs yet is Pending', pod({ phase: 'Pending' }), '0/1 Pending 0'],
  ['a pod held back by a gate says so', pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }), '0/1 SchedulingGated 0'],
  ['a pod whose container is being made', pod({ phase: 'Pending', containerStatuses: [{ name: 'a', state: { waiting: { reason: 'ContainerCreating' } } }] }), '0/1 ContainerCreating 0'],
  ['a running pod', pod({ phase: 'Running', conditions: ready, containerStatuses: [{ name: 'a', ...running }] }), '1/1 Running 0'],
  ['an image that cannot be pulled', pod({ phase: 'Pending', containerStatuses: [{ name: 'a', state: { waiting: { reason: 'ErrImagePull' } } }] }), '0/1 ErrImagePull 0'],
  ['a crash loop shows how often and how long ago', pod({ phase: 'Running', containerStatuses: [{ name: 'a', restartCount: 3, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:57:00Z' } }, state: { waiting: { reason: 'CrashLoopBackOff' } } }] }), '0/1 CrashLoopBackOff 3 (3m ago)'],
  ['a finished pod', pod({ phase: 'Succeeded', containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0, reason: 'Completed' } } }] }), '0/1 Completed 0'],
  ['a failed container without a reason', pod({ phase: 'Failed', containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 3 } } }] }), '0/1 ExitCode:3 0'],
  ['one container finished, the other at work', pod({ phase: 'Running', conditions: ready, containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0, reason: 'Completed' } } }, { name: 'b', ...running }] }, two), '1/2 Running 0'],
  ['one container finished, the pod not ready', pod({ phase: 'Running', containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0, reason: 'Completed' } } }, { name: 'b', ...running }] }, two), '1/2 NotReady 0'],
  ['the first of two init containers runs', pod({ phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { running: {} } }, { name: 'j', state: { waiting: { reason: 'PodInitializing' } } }] }, withInit({ name: 'i' }, { name: 'j' })), '0/1 Init:0/2 0'],
  ['the second init container fails', pod({ phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { terminated: { exitCode: 0 } } }, { name: 'j', state: { terminated: { exitCode: 2, reason: 'Error' } } }] }, withInit({ name: 'i' }, { name: 'j' })), '0/1 Init:Error 0'],
  ['an init container in a crash loop', pod({ phase: 'Pending', initContainerStatuses: [{ name: 'i', restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } }] }, withInit({ name: 'i' })), '0/1 Init:CrashLoopBackOff 2'],
  ['a sidecar counts as a container', pod({ phase: 'Running', conditions: [...ready, { type: 'Initialized', status: 'True' }], initContainerStatuses: [{ name: 's', started: true, ...running }], containerStatuses: [{ name: 'a', ...running }] }, withInit({ name: 's', restartPolicy: 'Always' })), '2/2 Running 0'],
  ['a pod that is going', pod({ phase: 'Running', containerStatuses: [{ name: 'a', ...running }] }, { metadata: { deletionTimestamp: '2026-01-01T00:59:00Z' } }), '1/1 Terminating 0'],
  ['a pod on a lost node that is going', pod({ phase: 'Running', reason: 'NodeLost', containerStatuses: [{ name: 'a', ...running }] }, { metadata: { deletionTimestamp: '2026-01-01T00:59:00Z' } }), '1/1 Unknown 0'],
  ['an evicted pod', pod({ phase: 'Failed', reason: 'Evicted' }), '0/1 Evicted 0'],
];

for (const [title, object, expected] of cases) {
  test(`kubectl get pods: ${title}`, (t) => {
    const { ready: column, status, restarts } = podSummary({ spec: { containers: [{ name: 'a' }] }, ...object }, now);
    t.is(`${column} ${status} ${restarts}`, expected);
  });
}
