import test from 'ava';
import { aContainer, aPod } from '../testing/fixtures.ts';
import { evictionMessage, evictionOrder, mayBeEvicted } from './eviction.ts';
import type { Usage } from './eviction.ts';
import { changedConditions, nodeConditions, statusDiffers } from './status.ts';
import type { NodeState } from './status.ts';

const mi = 2 ** 20;
const usage = (name: string, usedMi: number, requestMi: number, priority = 0): Usage => ({
  memoryBytes: usedMi * mi,
  pod: aPod({ priority, containers: [aContainer('main', requestMi === 0 ? {} : { resources: { requests: { memory: `${requestMi}Mi` } } })] }, { metadata: { name } }),
});
const order = (...usages: Usage[]): string[] => evictionOrder(usages).map((one) => one.pod.metadata?.name ?? '');

test('a pod that uses more than it asked for goes before one that does not', (t) => {
  t.deepEqual(order(usage('modest', 500, 600), usage('greedy', 200, 100)), ['greedy', 'modest']);
});

test('among the greedy the lower priority goes first, then the greediest', (t) => {
  t.deepEqual(order(usage('important', 900, 0, 1000), usage('small', 100, 0), usage('big', 300, 0)), ['big', 'small', 'important']);
});

test('what the system cannot do without stays', (t) => {
  t.false(mayBeEvicted(usage('critical', 1, 0, 2_000_001_000).pod));
  t.true(mayBeEvicted(usage('plain', 1, 0).pod));
});

test('the reason names resource, threshold and use', (t) => {
  t.is(evictionMessage('memory', usage('a', 64, 32), 50 * mi, 100 * mi), 'The node was low on resource: memory. Threshold quantity: 102400Ki, available: 51200Ki. The pod was using 65536Ki, request is 32768Ki (Burstable).');
});

const state = (more: Partial<NodeState>): NodeState => ({
  name: 'node1', nodeIPs: ['10.0.0.1'], labels: {}, maxPods: 110, apiPort: 10_250, images: [], runtimeVersion: 'docker://1', problems: [], networkProblem: undefined,
  machine: { cpus: 2, memoryBytes: 2 ** 30, storageBytes: 2 ** 30, machineId: '', bootId: '', kernel: '', osImage: '', architecture: 'amd64', lowestOomScoreAdj: 0 },
  pressure: { memoryAvailableBytes: 2 ** 30, diskAvailableBytes: 2 ** 29, diskBytes: 2 ** 30 }, ...more,
});
const of = (more: Partial<NodeState>, type: string): string => { const found = nodeConditions(state(more), [], 0).find((one) => one.type === type); return `${found?.status ?? ''} ${found?.reason ?? ''}`; };

test('a node without problems is Ready; one with is not, and says why', (t) => {
  t.is(of({}, 'Ready'), 'True KubeletReady');
  t.is(of({ problems: ['container runtime is down: x'] }, 'Ready'), 'False KubeletNotReady');
});

test('little memory and little disk are pressure', (t) => {
  t.is(of({ pressure: { memoryAvailableBytes: 50 * mi, diskAvailableBytes: 2 ** 29, diskBytes: 2 ** 30 } }, 'MemoryPressure'), 'True KubeletHasInsufficientMemory');
  t.is(of({ pressure: { memoryAvailableBytes: 2 ** 30, diskAvailableBytes: 1, diskBytes: 2 ** 30 } }, 'DiskPressure'), 'True KubeletHasDiskPressure');
});

test('only conditions that changed are written, whatever their heartbeat says', (t) => {
  const before = nodeConditions(state({}), [], 0);
  t.deepEqual(changedConditions(before, nodeConditions(state({}), before, 60_000)), []);
  t.deepEqual(changedConditions(before, nodeConditions(state({ problems: ['x'] }), before, 60_000)).map((one) => one.type), ['Ready']);
});

test('the order of keys is no difference', (t) => {
  t.false(statusDiffers({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }));
  t.true(statusDiffers({ a: 1 }, { a: 2 }));
});
