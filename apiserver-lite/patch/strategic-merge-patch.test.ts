import test from 'ava';
import fc from 'fast-check';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { applyPatch, applyStrategicMergePatch, PatchError } from './index.ts';

const POD = 'io.k8s.api.core.v1.Pod';
const DEPLOYMENT = 'io.k8s.api.apps.v1.Deployment';
const pod = () => ({
  metadata: { name: 'web', labels: { app: 'web' }, finalizers: ['a', 'b', 'c'] },
  spec: {
    containers: [
      { name: 'nginx', image: 'nginx:1', env: [{ name: 'A', value: '1' }, { name: 'B', value: '2' }], args: ['-x'] },
      { name: 'side', image: 'side:1' },
    ],
    nodeSelector: { zone: 'a' },
  },
});

const cases: readonly { title: string; patch: object; path: (object: Pod) => unknown; expected: unknown }[] = [
  { title: 'an element is merged by its merge key', patch: { spec: { containers: [{ name: 'side', image: 'side:2' }] } },
    path: (o) => o.spec!.containers.map((c) => [c.name, c.image]), expected: [['nginx', 'nginx:1'], ['side', 'side:2']] },
  { title: 'an unknown element is added behind', patch: { spec: { containers: [{ name: 'new', image: 'new:1' }] } },
    path: (o) => o.spec!.containers.map((c) => c.name), expected: ['nginx', 'side', 'new'] },
  { title: '$patch delete removes an element', patch: { spec: { containers: [{ name: 'nginx', $patch: 'delete' }] } },
    path: (o) => o.spec!.containers.map((c) => c.name), expected: ['side'] },
  { title: '$patch replace in a list replaces the list', patch: { spec: { containers: [{ $patch: 'replace' }, { name: 'only', image: 'x' }] } },
    path: (o) => o.spec!.containers, expected: [{ name: 'only', image: 'x' }] },
  { title: '$patch replace in an object replaces it', patch: { metadata: { labels: { $patch: 'replace', tier: 'x' } } },
    path: (o) => o.metadata!.labels, expected: { tier: 'x' } },
  { title: '$patch delete in an object removes the field', patch: { spec: { nodeSelector: { $patch: 'delete' } } },
    path: (o) => 'nodeSelector' in o.spec!, expected: false },
  { title: 'null removes a key, also of an element', patch: { spec: { containers: [{ name: 'nginx', args: null }] } },
    path: (o) => 'args' in o.spec!.containers[0]!, expected: false },
  { title: 'an atomic list is replaced', patch: { spec: { containers: [{ name: 'nginx', args: ['-y', '-z'] }] } },
    path: (o) => o.spec!.containers[0]!.args, expected: ['-y', '-z'] },
  { title: 'a primitive list with strategy merge is united', patch: { metadata: { finalizers: ['d', 'a'] } },
    path: (o) => [...o.metadata!.finalizers!].sort(), expected: ['a', 'b', 'c', 'd'] },
  { title: '$deleteFromPrimitiveList removes values', patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } },
    path: (o) => o.metadata!.finalizers, expected: ['a', 'c'] },
  { title: '$setElementOrder reorders', patch: { spec: { '$setElementOrder/containers': [{ name: 'side' }, { name: 'nginx' }] } },
    path: (o) => o.spec!.containers.map((c) => c.name), expected: ['side', 'nginx'] },
  { title: '$setElementOrder places a new element', patch: { spec: { '$setElementOrder/containers': [{ name: 'new' }, { name: 'nginx' }, { name: 'side' }], containers: [{ name: 'new', image: 'n' }] } },
    path: (o) => o.spec!.containers.map((c) => c.name), expected: ['new', 'nginx', 'side'] },
  { title: 'nulls in a new object are not stored', patch: { spec: { securityContext: { runAsUser: 1, runAsGroup: null } } },
    path: (o) => o.spec!.securityContext, expected: { runAsUser: 1 } },
  { title: 'nested lists merge too', patch: { spec: { containers: [{ name: 'nginx', env: [{ name: 'B', value: '3' }] }] } },
    path: (o) => o.spec!.containers[0]!.env, expected: [{ name: 'A', value: '1' }, { name: 'B', value: '3' }] },
];

for (const { title, patch, path, expected } of cases) {
  test(`strategic merge: ${title}`, (t) => {
    const current = pod();
    t.deepEqual(path(applyStrategicMergePatch(current, patch, POD) as unknown as Pod), expected);
    t.deepEqual(current, pod());
  });
}

test('strategic merge: $retainKeys drops the keys of the other strategy', (t) => {
  const current = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  const patched = applyStrategicMergePatch(current, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }, DEPLOYMENT);
  t.deepEqual(patched, { spec: { strategy: { type: 'Recreate' } } });
});

test('strategic merge: bad directives are refused', (t) => {
  for (const patch of [{ $patch: 'nope' }, { spec: { $retainKeys: 'a' } }, { spec: { containers: [{ image: 'no-name' }] } }, { spec: { containers: [1] } }]) {
    t.throws(() => applyStrategicMergePatch(pod(), patch, POD), { instanceOf: PatchError });
  }
});

test('strategic merge is idempotent, and an empty patch changes nothing', (t) => {
  const container = fc.record({ name: fc.constantFrom('nginx', 'side', 'x', 'y'), image: fc.string() });
  const patches = fc.record({
    metadata: fc.record({ labels: fc.dictionary(fc.string(), fc.option(fc.string(), { nil: null })), finalizers: fc.array(fc.string()) }),
    spec: fc.record({ containers: fc.uniqueArray(container, { selector: (c) => c.name }) }),
  });
  fc.assert(fc.property(patches, (patch) => {
    const once = applyStrategicMergePatch(pod(), patch, POD);
    t.deepEqual(applyStrategicMergePatch(once, patch, POD), once);
    t.deepEqual(applyStrategicMergePatch(once, {}, POD), once);
  }));
});

test('JSON patch: a failed test and a missing path are Invalid, a malformed patch is a bad request', (t) => {
  const apply = (patch: unknown) => applyPatch({ contentType: 'application/json-patch+json', current: pod(), patch, schema: POD });
  t.like(apply([{ op: 'replace', path: '/metadata/name', value: 'x' }]), { metadata: { name: 'x' } });
  t.is(t.throws(() => apply([{ op: 'test', path: '/metadata/name', value: 'y' }]), { instanceOf: PatchError }).code, 'Invalid');
  t.is(t.throws(() => apply([{ op: 'remove', path: '/metadata/nope' }]), { instanceOf: PatchError }).code, 'Invalid');
  t.is(t.throws(() => apply([{ op: 'wat', path: '/metadata/nope' }]), { instanceOf: PatchError }).code, 'BadRequest');
  t.is(t.throws(() => apply({}), { instanceOf: PatchError }).code, 'BadRequest');
});

test('merge patch follows RFC 7396 and leaves the original alone', (t) => {
  const current = pod() as Record<string, unknown>;
  const patched = applyPatch({ contentType: 'application/merge-patch+json; charset=utf-8', current, patch: { metadata: { labels: { app: null, x: 'y' } } }, schema: POD });
  t.like(patched, { metadata: { labels: { x: 'y' } } });
  t.deepEqual(current, pod());
});

test('an unknown patch type is refused with the list of the known ones', (t) => {
  const error = t.throws(() => applyPatch({ contentType: 'text/plain', current: {}, patch: {}, schema: POD }), { instanceOf: PatchError });
  t.is(error.code, 'UnsupportedMediaType');
  t.regex(error.message, /strategic-merge-patch/);
});
