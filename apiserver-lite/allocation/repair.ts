import type { AllocationSettings } from '../registry/definition.ts';
import { serviceClaims } from './claim-keys.ts';
import type { ServiceInput } from './service-input.ts';

export type Repair = Readonly<{
  /** Claims that Services need and nobody holds: write them. */
  missing: readonly Readonly<{ key: string; holder: string }>[];
  /** Claims whose holder no longer needs them: delete them. */
  leaked: readonly string[];
  /** Two Services with one address or port: only a person can say which is right. */
  conflicts: readonly Readonly<{ key: string; holders: readonly string[] }>[];
}>;

/** Compares the claims in the store with the Services in the store, at start: a restored backup may have one without the other. */
export function planRepair(services: readonly ServiceInput[], held: ReadonlyMap<string, string>, settings: AllocationSettings): Repair {
  const wanted = new Map<string, string[]>();
  for (const service of services) {
    const holder = holderOf(service);
    for (const key of serviceClaims(service, settings)) wanted.set(key, [...(wanted.get(key) ?? []), holder]);
  }
  const missing: { key: string; holder: string }[] = [];
  const conflicts: { key: string; holders: readonly string[] }[] = [];
  for (const [key, holders] of wanted) {
    const [first = ''] = holders;
    const current = held.get(key);
    if (holders.length > 1) conflicts.push({ key, holders });
    if (current === undefined || !holders.includes(current)) missing.push({ key, holder: first });
  }
  const leaked = [...held.keys()].filter((key) => /^(ip|nodeport)\//.test(key) && !wanted.has(key));
  return { missing, leaked, conflicts };
}

/** How the core names the object that holds a claim. */
export function holderOf(service: ServiceInput): string {
  return `services/${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}`;
}
