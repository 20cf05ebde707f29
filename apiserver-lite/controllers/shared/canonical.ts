// Comparing API objects by meaning: two values are the same when their JSON with sorted keys is, and a template's name is
// a short hash of that text.
import { createHash } from 'node:crypto';
import { canonicalJson } from '@podwire/kube-client';

export const sameMeaning = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

/** Letters that cannot spell a word by accident: the alphabet that Kubernetes uses for generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Ten letters that depend on the value's meaning and on `salt` (a collision count), fit for a label and a name. */
export function shortHash(value: unknown, salt = 0): string {
  const digest = createHash('sha256').update(canonicalJson(value)).update(String(salt)).digest();
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('');
}
