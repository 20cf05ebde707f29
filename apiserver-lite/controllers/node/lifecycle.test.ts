import test from 'ava';
import type { Node, Pod, Toleration } from '@podwire/kube-client';
import { desiredTaints, evictionDueMs, silentConditions } from './lifecycle.ts';

const nowMs = Date.parse('2026-01-01T00:10:00Z');
const node = (ready: string, extra: Partial<NonNullable<Node['spec']>> = {}): Node => ({ metadata: { name: 'n' }, spec: extra, status: { conditions: [{ type: 'Ready', status: ready }] } });
const pod = (tolerations: Toleration[]): Pod => ({ spec: { containers: [], tolerations } });
const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2026-01-01T00:09:00Z' };

test('a silent node turns Unknown once, and not again', (t) => {
  const conditions = silentConditions(node('True'), nowMs);
  t.is(conditions?.find(({ type }) => type === 'Ready')?.status, 'Unknown');
  t.is(conditions?.find(({ type }) => type === 'Ready')?.reason, 'NodeStatusUnknown');
  t.is(silentConditions({ status: { conditions: conditions ?? [] } }, nowMs), undefined);
});

test('taints follow the conditions, keep their time, and leave those of others alone', (t) => {
  const foreign = { key: 'team', value: 'a', effect: 'NoSchedule' };
  const first = desiredTaints(node('Unknown', { taints: [foreign] }), nowMs);
  t.deepEqual(first, [foreign, { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }, { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2026-01-01T00:10:00Z' }]);
  t.deepEqual(desiredTaints(node('Unknown', { taints: [...first] }), nowMs + 60_000), first);
  t.deepEqual(desiredTaints(node('True', { taints: [...first] }), nowMs), [foreign]);
  t.deepEqual(desiredTaints(node('True', { unschedulable: true }), nowMs), [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]);
});

test('a pod leaves at once, after its tolerationSeconds, or never', (t) => {
  t.is(evictionDueMs(pod([]), [taint], nowMs), 0);
  t.is(evictionDueMs(pod([{ key: taint.key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }]), [taint], nowMs), Date.parse('2026-01-01T00:14:00Z'));
  t.is(evictionDueMs(pod([{ operator: 'Exists' }]), [taint], nowMs), undefined);
  t.is(evictionDueMs(pod([]), [{ ...taint, effect: 'NoSchedule' }], nowMs), undefined);
});
