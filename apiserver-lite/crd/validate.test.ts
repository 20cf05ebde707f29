import test from 'ava';
import { applyDefaults, validateBySchema } from './validate.ts';
import type { JsonSchema } from './definition.ts';
import { readJsonPath } from './json-path.ts';

const schema: JsonSchema = {
  type: 'object', required: ['spec'],
  properties: {
    spec: {
      type: 'object', required: ['name'],
      properties: { name: { type: 'string', pattern: '^[a-z]+$' }, size: { type: 'integer', minimum: 1, default: 3 }, tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }, mode: { type: 'string', enum: ['a', 'b'] } },
    },
  },
};
const faults = (value: unknown): string[] => validateBySchema(schema, value, '').map(({ type, field }) => `${type} ${field}`);

test('defaults are filled in at every depth and only where nothing is', (t) => {
  const one = { spec: { name: 'x' } };
  applyDefaults(schema, one);
  t.deepEqual(one, { spec: { name: 'x', size: 3 } } as never);
  const two = { spec: { name: 'x', size: 5 } };
  applyDefaults(schema, two);
  t.is(two.spec.size, 5);
});

test('every fault of a custom object is told at once', (t) => {
  t.deepEqual(faults({ spec: { name: 'x' } }), []);
  t.deepEqual(faults({}), ['Required spec']);
  t.deepEqual(faults({ spec: { name: 'X', size: 0, tags: ['a', 'a'], mode: 'c' } }), ['Invalid spec.name', 'Invalid spec.size', 'Duplicate spec.tags[1]', 'NotSupported spec.mode']);
  t.deepEqual(faults({ spec: { name: 1 } }), ['TypeInvalid spec.name']);
});

test('JSONPath of printer columns finds fields, elements and filtered conditions', (t) => {
  const object = { spec: { a: [{ b: 1 }, { b: 2 }] }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  t.is(readJsonPath(object, '.spec.a[1].b'), 2);
  t.is(readJsonPath(object, '.status.conditions[?(@.type=="Ready")].status'), 'True');
  t.is(readJsonPath(object, '.status.nothing.deeper'), undefined);
});
