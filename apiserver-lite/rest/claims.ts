import type { ClusterCache } from '../cache/cluster-cache.ts';
import { claimsPrefix } from '../cache/keys.ts';
import type { Claims } from '../registry/definition.ts';
import type { Operation } from '../store/store.ts';

export type ClaimSession = Claims & Readonly<{
  /** The claims' part of the transaction. */
  operations(): Operation[];
}>;

/**
 * Exclusive keys for one write. They are committed with the object: each new key must not exist at commit,
 * so two writers (or two API servers) that pick the same address cannot both succeed.
 */
export function openClaims(cache: ClusterCache, holder: string): ClaimSession {
  const taken = new Set<string>();
  const released = new Set<string>();
  const owner = (key: string): string | undefined => (taken.has(key) ? holder : released.has(key) ? undefined : cache.claimOwner(key));
  return {
    owner,
    take(key) {
      const current = owner(key);
      if (current !== undefined) return current === holder;
      if (!released.delete(key)) taken.add(key);
      return true;
    },
    release(key) {
      if (taken.delete(key)) return;
      if (cache.claimOwner(key) === holder) released.add(key);
    },
    count: (prefix) => cache.countClaims(prefix),
    operations: () => [
      ...[...taken].map((key) => ({ key: claimsPrefix + key, expectedRevision: 0, put: holder })),
      ...[...released].map((key) => ({ key: claimsPrefix + key, delete: true as const })),
    ],
  };
}
