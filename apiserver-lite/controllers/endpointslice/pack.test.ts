import test from 'ava';
import fc from 'fast-check';
import type { Endpoint, EndpointSlice } from '@podwire/kube-client';
import type { EndpointGroup } from './endpoints.ts';
import { planSlices } from './pack.ts';

const ports = [{ name: '', port: 80, protocol: 'TCP' }];
const endpoint = (id: number, ready = true): Endpoint => ({ addresses: [`10.0.${id >> 8}.${id & 255}`], conditions: { ready }, targetRef: { kind: 'Pod', uid: `u${id}` } });
const group = (ids: readonly number[], ready = true): EndpointGroup => ({ addressType: 'IPv4', ports, endpoints: ids.map((id) => endpoint(id, ready)) });
const slice = (name: string, ids: readonly number[]): EndpointSlice => ({ metadata: { name }, addressType: 'IPv4', ports, endpoints: ids.map((id) => endpoint(id)) });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** What the cluster holds after the plan is carried out. */
function carryOut(slices: readonly EndpointSlice[], plan: ReturnType<typeof planSlices>): EndpointSlice[] {
  const removed = new Set(plan.remove.map(({ metadata }) => metadata?.name));
  const updates = new Map(plan.update.map((update) => [update.slice.metadata?.name, update.endpoints]));
  return [
    ...slices.filter(({ metadata }) => !removed.has(metadata?.name)).map((old) => ({ ...old, endpoints: [...(updates.get(old.metadata?.name) ?? old.endpoints)] })),
    ...plan.create.map((made, index) => ({ metadata: { name: `new-${index}` }, addressType: made.addressType, ports: [...made.ports], endpoints: [...made.endpoints] })),
  ];
}

test('the same endpoints again need no write', (t) => {
  t.deepEqual(planSlices([group([1, 2])], [slice('a', [1, 2])]), { create: [], update: [], remove: [] });
});

test('a changed condition rewrites only the slice that holds the endpoint', (t) => {
  const plan = planSlices([{ ...group(range(0, 150)), endpoints: range(0, 150).map((id) => endpoint(id, id !== 120)) }], [slice('a', range(0, 100)), slice('b', range(100, 150))]);
  t.deepEqual(plan.update.map(({ slice: { metadata } }) => metadata?.name), ['b']);
  t.is(plan.create.length + plan.remove.length, 0);
});

test('a new endpoint goes into the fullest slice with room', (t) => {
  const plan = planSlices([group(range(0, 141))], [slice('thin', range(0, 50)), slice('full', range(50, 140))]);
  t.deepEqual(plan.update.map(({ slice: { metadata } }) => metadata?.name), ['full']);
});

test('a Service without endpoints keeps one empty slice', (t) => {
  const empty = { addressType: 'IPv4' as const, ports: [], endpoints: [] };
  t.is(planSlices([empty], []).create.length, 1);
  const plan = planSlices([empty], [{ metadata: { name: 'e' }, addressType: 'IPv4', ports: [], endpoints: [] }]);
  t.deepEqual(plan, { create: [], update: [], remove: [] });
});

test('after any change every endpoint is in exactly one slice of at most 100, and a second plan is empty', (t) => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 260 });
  fc.assert(fc.property(ids, ids, (before, after) => {
    const held = carryOut([], planSlices([group(before)], []));
    const now = carryOut(held, planSlices([group(after)], held)).map((one, index) => ({ ...one, metadata: { name: `s${index}` } }));
    const found = now.flatMap(({ endpoints }) => endpoints.map(({ targetRef }) => targetRef?.uid)).sort();
    const again = planSlices([group(after)], now);
    return now.every(({ endpoints }) => endpoints.length <= 100) && JSON.stringify(found) === JSON.stringify(after.map((id) => `u${id}`).sort()) && again.create.length + again.update.length + again.remove.length === 0;
  }), { numRuns: 60 });
  t.pass();
});
