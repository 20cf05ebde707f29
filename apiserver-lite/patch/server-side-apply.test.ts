import test from 'ava';
import fc from 'fast-check';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import { PatchError, serverSideApply, trackUpdate } from './index.ts';
import type { JsonObject } from './index.ts';

const DEPLOYMENT = 'io.k8s.api.apps.v1.Deployment';
const SERVICE = 'io.k8s.api.core.v1.Service';
const at = (second: number): string => `2026-11-25T00:00:0${second}Z`;
const actor = (manager: string, second: number, schema = DEPLOYMENT) => ({ manager, apiVersion: 'apps/v1', schema, hasStatus: true, now: at(second) });

const config = (replicas: number | undefined, containers: object[]): JsonObject => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels: { app: 'web' } },
  spec: { ...(replicas !== undefined && { replicas }), template: { spec: { containers } } },
});
const apply = (current: JsonObject | undefined, manager: string, second: number, applied: JsonObject, force = false): JsonObject =>
  serverSideApply({ ...actor(manager, second), current, applied, force });
const spec = (object: JsonObject) => (object as unknown as Deployment).spec!;
const managers = (object: JsonObject) => (object as unknown as Deployment).metadata!.managedFields!;

test('apply records the fields it names, and nothing that the server owns', (t) => {
  const object = apply(undefined, 'me', 1, config(2, [{ name: 'c', image: 'i:1' }]));
  t.deepEqual(managers(object), [{
    manager: 'me', operation: 'Apply', apiVersion: 'apps/v1', time: at(1), fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': { 'f:replicas': {}, 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } } } },
    },
  }]);
});

test('applying the same again changes nothing, not even the time', (t) => {
  const once = apply(undefined, 'me', 1, config(2, [{ name: 'c', image: 'i:1' }]));
  t.deepEqual(apply(once, 'me', 2, config(2, [{ name: 'c', image: 'i:1' }])), once);
});

test('what its manager no longer applies goes, unless another owns it too', (t) => {
  const one = apply(undefined, 'me', 1, config(2, [{ name: 'a', image: 'a' }, { name: 'b', image: 'b' }]));
  const two = apply(one, 'other', 2, config(undefined, [{ name: 'b', image: 'b' }]));
  const three = apply(two, 'me', 3, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } });
  t.deepEqual(spec(three).template.spec!.containers, [{ name: 'b', image: 'b' }]);
  t.is(spec(three).replicas, undefined);
  t.is(managers(three).length, 1);
});

test('a conflict names the manager and the fields; force takes them over', (t) => {
  const one = apply(undefined, 'a', 1, config(2, [{ name: 'c', image: 'i:1' }]));
  const change = config(3, [{ name: 'c', image: 'i:2' }]);
  const error = t.throws(() => apply(one, 'b', 2, change), { instanceOf: PatchError });
  t.is(error.code, 'Conflict');
  t.is(error.message, 'Apply failed with 2 conflicts: conflicts with "a" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="c"].image');
  t.deepEqual(error.causes.map((cause) => cause.field), ['.spec.replicas', '.spec.template.spec.containers[name="c"].image']);
  const forced = apply(one, 'b', 2, change, true);
  t.is(spec(forced).replicas, 3);
  t.false(JSON.stringify(managers(forced).find((entry) => entry.manager === 'a')).includes('f:replicas'));
});

test('the same value from two managers is shared, not a conflict', (t) => {
  const one = apply(undefined, 'a', 1, config(2, [{ name: 'c', image: 'i' }]));
  const two = apply(one, 'b', 2, config(2, [{ name: 'c', image: 'i' }]));
  t.deepEqual(managers(two).map((entry) => entry.manager), ['a', 'b']);
});

test('a plain update takes ownership of what it changes', (t) => {
  const one = apply(undefined, 'a', 1, config(2, [{ name: 'c', image: 'i' }]));
  const scaled = trackUpdate({ ...actor('scaler', 2), before: one, after: { ...one, spec: { ...(one['spec'] as object), replicas: 5 } } });
  const byScaler = managers(scaled).find((entry) => entry.manager === 'scaler')!;
  t.deepEqual(byScaler.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
  t.is(byScaler.operation, 'Update');
  t.false(JSON.stringify(managers(scaled).find((entry) => entry.manager === 'a')).includes('f:replicas'));
  const error = t.throws(() => apply(scaled, 'a', 3, config(2, [{ name: 'c', image: 'i' }])), { instanceOf: PatchError });
  t.is(error.message, `Apply failed with 1 conflict: conflict with "scaler" using apps/v1 at ${at(2)}: .spec.replicas`);
});

test('an object from before server-side apply belongs to before-first-apply', (t) => {
  const old: JsonObject = { ...config(2, [{ name: 'c', image: 'i' }]) };
  const error = t.throws(() => apply(old, 'a', 1, config(3, [{ name: 'c', image: 'i' }])), { instanceOf: PatchError });
  t.regex(error.message, /conflict with "before-first-apply"/);
});

test('list maps with two keys use the default of an absent key', (t) => {
  const service = serverSideApply({
    ...actor('me', 1, SERVICE), current: undefined, force: false,
    applied: { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } },
  });
  t.true(JSON.stringify(managers(service)).includes(JSON.stringify('k:{"port":80,"protocol":"TCP"}')));
});

test('status belongs to those who write the subresource', (t) => {
  const one = apply(undefined, 'a', 1, { ...config(2, []), status: { replicas: 3 } });
  t.false(JSON.stringify(managers(one)).includes('f:status'));
  const two = trackUpdate({ ...actor('controller', 2), subresource: 'status', before: one, after: { ...one, status: { replicas: 4 } } });
  const entry = managers(two).find((each) => each.manager === 'controller')!;
  t.deepEqual([entry.subresource, entry.fieldsV1], ['status', { 'f:status': { 'f:replicas': {} } }]);
});

const container = fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('x', 'y'), args: fc.option(fc.array(fc.constantFrom('p', 'q')), { nil: undefined }) }, { requiredKeys: ['name'] });
const configs = fc.record({
  replicas: fc.option(fc.nat(3), { nil: undefined }),
  containers: fc.uniqueArray(container, { selector: (each) => each.name, minLength: 1 }),
}).map(({ replicas, containers }) => JSON.parse(JSON.stringify(config(replicas, containers))) as JsonObject);

test('law: a forced apply makes the object contain what was applied, and a second one changes nothing', (t) => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom('m', 'n', 'o'), configs), { minLength: 1, maxLength: 6 }), (steps) => {
    let object: JsonObject | undefined;
    for (const [manager, applied] of steps) {
      object = apply(object, manager, 1, applied, true);
      t.deepEqual(apply(object, manager, 2, applied), object);
      for (const wanted of spec(applied).template.spec!.containers) t.like(spec(object).template.spec!.containers.find((each) => each.name === wanted.name), wanted);
    }
  }));
});

test('law: one manager alone always gets exactly what it applied last', (t) => {
  fc.assert(fc.property(configs, configs, (first, second) => {
    const object = apply(apply(undefined, 'me', 1, first), 'me', 2, second);
    t.deepEqual(spec(object).template.spec!.containers, spec(second).template.spec!.containers);
    t.is(spec(object).replicas, spec(second).replicas);
  }));
});
