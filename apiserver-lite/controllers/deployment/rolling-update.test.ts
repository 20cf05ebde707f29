import test from 'ava';
import fc from 'fast-check';
import { newReplicaSetSize, oldReplicaSetSizes, proportionalSizes, resolveFence } from './rolling-update.ts';
import type { ReplicaCount } from './rolling-update.ts';

const set = (name: string, specReplicas: number, availableReplicas = specReplicas): ReplicaCount => ({ name, specReplicas, availableReplicas });

test('surge rounds up, unavailable rounds down, and both zero means one unavailable', (t) => {
  t.deepEqual(resolveFence('25%', '25%', 10), { maxSurge: 3, maxUnavailable: 2 });
  t.deepEqual(resolveFence('25%', '25%', 3), { maxSurge: 1, maxUnavailable: 0 });
  t.deepEqual(resolveFence(0, '10%', 3), { maxSurge: 0, maxUnavailable: 1 });
  t.throws(() => resolveFence('many', 0, 3), { message: /many is neither a number nor a percentage/ });
});

test('the new ReplicaSet grows only into the room that the surge leaves', (t) => {
  const fence = { maxSurge: 1, maxUnavailable: 0 };
  t.is(newReplicaSetSize(3, fence, set('new', 0), [set('old', 3)]), 1);
  t.is(newReplicaSetSize(3, fence, set('new', 1), [set('old', 3)]), 1);
  t.is(newReplicaSetSize(3, fence, set('new', 1), [set('old', 2)]), 2);
});

test('old pods that never became available are given up before available ones', (t) => {
  const sizes = oldReplicaSetSizes(4, { maxSurge: 1, maxUnavailable: 1 }, set('new', 1, 1), [set('broken', 2, 0), set('good', 3, 3)]);
  t.deepEqual([...sizes], [['broken', 0], ['good', 2]]);
});

test('a rolling update ends with all pods new, never above the surge and never below the floor, whatever the numbers', (t) => {
  const scene = fc.record({ replicas: fc.integer({ min: 1, max: 30 }), surge: fc.integer({ min: 0, max: 8 }), unavailable: fc.integer({ min: 0, max: 8 }), olds: fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 1, maxLength: 3 }) });
  fc.assert(fc.property(scene, ({ replicas, surge, unavailable, olds }) => {
    const fence = resolveFence(surge, unavailable, replicas);
    let fresh = set('new', 0);
    let old = olds.map((size, index) => set(`old-${index}`, size));
    const start = olds.reduce((a, b) => a + b, 0);
    for (let round = 0; round < 200; round += 1) {
      fresh = set('new', newReplicaSetSize(replicas, fence, fresh, old), fresh.availableReplicas);
      const sizes = oldReplicaSetSizes(replicas, fence, fresh, old);
      old = old.map(({ name, specReplicas }) => set(name, sizes.get(name) ?? specReplicas));
      const available = fresh.availableReplicas + old.reduce((sum, { specReplicas }) => sum + specReplicas, 0);
      if (available < Math.min(start, replicas - fence.maxUnavailable)) return false;
      if (fresh.specReplicas + old.reduce((sum, { specReplicas }) => sum + specReplicas, 0) > Math.max(start, replicas + fence.maxSurge)) return false;
      fresh = set('new', fresh.specReplicas);
      if (fresh.specReplicas === replicas && old.every(({ specReplicas }) => specReplicas === 0)) return true;
    }
    return false;
  }));
  t.pass();
});

test('scaling in the middle of a rollout keeps the shares and hits the total', (t) => {
  const fence = { maxSurge: 0, maxUnavailable: 1 };
  t.deepEqual([...proportionalSizes(20, fence, [set('a', 8), set('b', 2)], 10)], [['a', 16], ['b', 4]]);
  t.deepEqual([...proportionalSizes(0, fence, [set('a', 8), set('b', 2)], 10)], [['a', 0], ['b', 0]]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }), (replicas, parts) => {
    const sets = parts.map((size, index) => set(`rs-${index}`, size));
    const sizes = proportionalSizes(replicas, fence, sets, 0);
    return sets.reduce((sum, { name, specReplicas }) => sum + (sizes.get(name) ?? specReplicas), 0) === replicas;
  }));
});
