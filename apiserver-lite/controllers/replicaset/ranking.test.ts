import test from 'ava';
import type { Pod } from '@podwire/kube-client';
import { rankForDeletion } from './ranking.ts';

const nowMs = Date.parse('2026-01-01T01:00:00Z');

interface Traits {
  readonly node?: string;
  readonly phase?: string;
  readonly readySince?: string;
  readonly cost?: string;
  readonly restarts?: number;
  readonly created?: string;
}

const pod = (name: string, { node = 'n1', phase = 'Running', readySince, cost, restarts = 0, created = '2026-01-01T00:00:00Z' }: Traits): Pod => ({
  metadata: { name, uid: name, creationTimestamp: created, ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }) },
  spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
  status: {
    phase,
    ...(readySince === undefined ? {} : { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: readySince }] }),
    containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: restarts }],
  },
});

const order = (pods: readonly Pod[], related: readonly Pod[] = pods): readonly (string | undefined)[] => rankForDeletion(pods, related, nowMs).map(({ metadata }) => metadata?.name);
const ready = '2026-01-01T00:00:10Z';

test('unassigned before pending before unready before ready', (t) => {
  t.deepEqual(order([pod('ready', { readySince: ready }), pod('unready', {}), pod('pending', { phase: 'Pending' }), pod('unassigned', { node: '', phase: 'Pending' })]), ['unassigned', 'pending', 'unready', 'ready']);
});

test('a lower deletion cost goes first among ready pods', (t) => {
  t.deepEqual(order([pod('dear', { readySince: ready, cost: '10' }), pod('plain', { readySince: ready }), pod('cheap', { readySince: ready, cost: '-5' })]), ['cheap', 'plain', 'dear']);
});

test('a pod on the fuller node goes first', (t) => {
  t.is(order([pod('alone', { node: 'n2', readySince: ready }), pod('a', { readySince: ready }), pod('b', { readySince: ready })])[2], 'alone');
});

test('newer ready, then more restarts, then newer pods go first', (t) => {
  t.deepEqual(order([pod('old', { readySince: ready }), pod('fresh', { readySince: '2026-01-01T00:59:50Z' })], []), ['fresh', 'old']);
  t.deepEqual(order([pod('calm', { readySince: ready }), pod('shaky', { readySince: ready, restarts: 4 })], []), ['shaky', 'calm']);
  t.deepEqual(order([pod('older', { readySince: ready }), pod('newer', { readySince: ready, created: '2026-01-01T00:00:09Z' })], []), ['newer', 'older']);
});
