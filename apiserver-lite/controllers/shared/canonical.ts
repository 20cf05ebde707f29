// Comparing API objects by meaning: two values are the same when their JSON with sorted keys is, and a template's name is
// a short hash of that text.
import { createHash } from 'node:crypto';

/** JSON with the keys of every object sorted and absent members left out: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) return 'undefined';
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    const entries = Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}

export const sameMeaning = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

/** Letters that cannot spell a word by accident: the alphabet that Kubernetes uses for generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Ten letters that depend on the value's meaning and on `salt` (a collision count), fit for a label and a name. */
export function shortHash(value: unknown, salt = 0): string {
  const digest = createHash('sha256').update(canonicalJson(value)).update(String(salt)).digest();
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('');
}
