// Whatever the schema lets through, no kind may throw: that would be a 500 for a client's mistake.
import test from 'ava';
import fc from 'fast-check';
import { applyPatch, PatchError, serverSideApply, trackUpdate } from '../patch/index.ts';
import type { ApiObject } from '../registry/definition.ts';
import { fieldErrorText } from '../registry/field-error.ts';
import { valueOf } from '../testing/arbitrary.ts';
import { definitions } from './index.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const settings = { serviceClusterIpRanges: ['10.96.0.0/24', 'fd00::/120'], serviceNodePortRange: { from: 30000, to: 30100 } };

function claims() {
  const held = new Set<string>();
  return { owner: (key: string) => (held.has(key) ? 'me' : undefined), take: (key: string) => { held.add(key); return true; }, release: (key: string) => { held.delete(key); }, count: () => 0 };
}

for (const definition of definitions.filter((each) => each.view === undefined)) {
  const apiVersion = definition.group === '' ? definition.version : `${definition.group}/${definition.version}`;
  const objects = valueOf({ ref: definition.schema }, 7).map((value) => {
    const object = value as ApiObject;
    return { ...object, apiVersion, kind: definition.kind, metadata: { ...object.metadata, name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' } };
  });

  test(`${definition.kind}: any object that fits the schema is filled in, judged, shown and compared without an exception`, (t) => {
    fc.assert(fc.property(objects, objects, (first, second) => {
      const [object, next] = [structuredClone(first), structuredClone(second)];
      for (const each of [object, next]) {
        definition.defaults?.(each);
        definition.prepareCreate?.(each);
      }
      const filled = structuredClone(object);
      definition.defaults?.(filled);
      t.deepEqual(filled, object, 'defaults are idempotent');
      definition.prepareUpdate?.(next, structuredClone(object));
      const faults = [
        ...definition.validate?.(object, { operation: 'create', nowMs }) ?? [],
        ...definition.validate?.(next, { operation: 'update', old: object, nowMs }) ?? [],
        ...definition.validate?.(next, { operation: 'update', old: object, nowMs, subresource: 'status' }) ?? [],
      ];
      for (const fault of faults) t.is(typeof fieldErrorText(fault), 'string');
      for (const column of definition.columns ?? []) t.not(column.cell(object, nowMs), undefined, column.name);
      for (const field of Object.values(definition.selectableFields ?? {})) t.is(typeof field(object), 'string');
      if (faults.length === 0) definition.allocate?.(structuredClone(object), { operation: 'create', claims: claims(), settings });
    }), { numRuns: 60 });
    t.pass();
  });

  test(`${definition.kind}: any patch that fits the schema applies or is refused properly`, (t) => {
    const actor = { manager: 'm', apiVersion, schema: definition.schema, now: '2026-01-01T00:00:00Z', hasStatus: true };
    fc.assert(fc.property(objects, objects, (current, patch) => {
      try {
        for (const type of ['strategic-merge-patch', 'merge-patch']) applyPatch({ contentType: `application/${type}+json`, current, patch, schema: definition.schema });
        const tracked = trackUpdate({ ...actor, before: current, after: patch });
        const { managedFields: _, ...metadata } = patch.metadata;
        const applied = { ...patch, metadata } as ApiObject;
        const object = serverSideApply({ ...actor, current: tracked, applied, force: true });
        t.deepEqual(serverSideApply({ ...actor, current: object, applied, force: true }), object);
      } catch (error) {
        if (!(error instanceof PatchError)) throw error;
      }
    }), { numRuns: 30 });
    t.pass();
  });
}
