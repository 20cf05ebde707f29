import type { Logger } from 'pino';
import { planRepair } from './allocation/index.ts';
import { claimsPrefix } from './cache/keys.ts';
import type { RestContext } from './rest/context.ts';
import type { Operation } from './store/store.ts';

/** At start: makes the claims on addresses and ports agree with the Services that hold them. */
export async function repairClaims({ cache, store, settings }: RestContext, log: Logger): Promise<void> {
  const services = cache.resource({ group: '', resource: 'services' }).all().map(({ object }) => object) as Parameters<typeof planRepair>[0];
  const { missing, leaked, conflicts } = planRepair(services, cache.claims(), settings);
  for (const { key, holders } of conflicts) log.error({ claim: key, holders }, 'two Services hold the same address or port; delete one of them');
  const operations: Operation[] = [
    ...missing.map(({ key, holder }) => ({ key: claimsPrefix + key, put: holder })),
    ...leaked.map((key) => ({ key: claimsPrefix + key, delete: true as const })),
  ];
  if (operations.length === 0) return;
  await store.commit(operations);
  log.warn({ missing: missing.length, leaked: leaked.length }, 'claims on Service addresses and ports repaired');
}
