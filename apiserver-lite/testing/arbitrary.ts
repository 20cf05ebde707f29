import fc from 'fast-check';
import type { FieldSchema } from '../schema/types.ts';
import { typeSchema } from '../schema/table.ts';

/** Texts that mean something somewhere, and some that never do. */
const texts = fc.constantFrom('', 'a', 'web', 'A_b', '10.96.0.5', 'fd00::1', '10.0.0.0/8', 'None', 'NodePort', 'ClusterIP', 'LoadBalancer', 'ExternalName', 'Always', 'Never', 'TCP', 'UDP',
  'RollingUpdate', 'Recreate', 'IPv4', 'IPv6', 'PreferDualStack', 'RequireDualStack', 'Exists', 'In', '25%', '1Gi', '100m', '2026-01-01T00:00:00Z', '*/5 * * * *', '__proto__', 'x'.repeat(300));
const numbers = fc.constantFrom(-1, 0, 1, 2, 80, 30080, 65536, 2 ** 31);

/** Any value that the schema's types allow: what gets past decoding, and so what defaults and validation must bear. */
export function valueOf(field: FieldSchema | undefined, depth: number): fc.Arbitrary<unknown> {
  if (field?.ref !== undefined) return objectOf(field.ref, depth);
  switch (field?.type) {
    case 'string': return texts;
    case 'integer':
    case 'number': return numbers;
    case 'boolean': return fc.boolean();
    case 'array': return depth <= 0 ? fc.constant([]) : fc.array(valueOf(field.items, depth - 1), { maxLength: 2 });
    case 'object': return depth <= 0 ? fc.constant({}) : fc.dictionary(fc.constantFrom('a', 'b/c', 'cpu', 'storage', 'kubernetes.io/x'), valueOf(field.values, depth - 1), { maxKeys: 2 });
    default: return fc.oneof(texts, numbers);
  }
}

const made = new Map<string, fc.Arbitrary<unknown>>();

function objectOf(name: string, depth: number): fc.Arbitrary<unknown> {
  const key = `${name} ${depth}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const schema = typeSchema(name);
  let arbitrary: fc.Arbitrary<unknown>;
  if (schema?.oneOf?.includes('integer') === true) arbitrary = fc.oneof(texts, numbers);
  else if (schema?.fields === undefined) arbitrary = schema?.type === 'object' ? fc.constant({}) : texts;
  else if (depth <= 0) arbitrary = fc.constant({});
  else {
    const fields = Object.entries(schema.fields).map(([field, child]) => [field, fc.option(valueOf(child, depth - 1), { nil: undefined, freq: 2 })] as const);
    arbitrary = fc.record(Object.fromEntries(fields), { requiredKeys: [] }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  }
  made.set(key, arbitrary);
  return arbitrary;
}
