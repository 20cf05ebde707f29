import test from 'ava';
import type { ReplicaSet } from '@podwire/kube-client';
import { replicaSetStatus } from './status.ts';

test('a failure that goes on keeps the status as it was, whatever pod the message names', (t) => {
  const set: ReplicaSet = { metadata: { name: 'web', generation: 1 }, spec: { selector: {} } };
  const first = replicaSetStatus(set, [], 1_000_000, 'pods "web-aaaaa" is forbidden');
  const second = replicaSetStatus({ ...set, status: first }, [], 2_000_000, 'pods "web-bbbbb" is forbidden');
  t.deepEqual(second, first);
  t.is(replicaSetStatus({ ...set, status: second }, [], 3_000_000, undefined).conditions, undefined);
});
