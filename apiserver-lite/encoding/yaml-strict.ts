import { isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { DecodeError } from './decode-error.ts';
import type { DecodedBody } from './decoded-body.ts';

/** One YAML document (JSON is YAML too), read by the YAML 1.1 rules that Kubernetes' clients use, with the keys that stand twice. */
export function parseYamlStrict(text: string): DecodedBody {
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false, merge: true });
  const [error] = document.errors;
  if (error !== undefined) throw new DecodeError('BadRequest', `error converting YAML to JSON: yaml: ${error.message}`, { cause: error });
  const duplicates: string[] = [];
  collect(document.contents, '', duplicates);
  let object: unknown;
  try {
    // The alias limit stops "billion laughs" documents.
    object = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new DecodeError('BadRequest', `error converting YAML to JSON: yaml: ${(cause as Error).message}`, { cause });
  }
  if (object === null) throw new DecodeError('BadRequest', 'the body of the request is empty; an object is expected');
  return { object: plain(object), duplicates };
}

function collect(node: unknown, path: string, duplicates: string[]): void {
  if (isAlias(node)) return;
  if (isSeq(node)) {
    node.items.forEach((item, index) => collect(item, `${path}[${index}]`, duplicates));
    return;
  }
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const child = path === '' ? name : `${path}.${name}`;
    if (seen.has(name)) duplicates.push(child);
    seen.add(name);
    collect(value, child, duplicates);
  }
}

/** YAML 1.1 knows timestamps and binary; JSON does not: a timestamp becomes its text, as sigs.k8s.io/yaml gives it. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Set) return Object.fromEntries([...value].map((item) => [String(item), null]));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}
