// Services that a policy Local keeps from every endpoint there is: what kube-proxy counts in ..._no_local_endpoints_total.
import type { DesiredService } from '../core/desired.ts';
import type { ServiceInfo } from '../core/service-info.ts';

export const POLICIES = ['internal', 'external'] as const;
export type TrafficPolicy = (typeof POLICIES)[number];

/** Of one IP family. */
export class NoLocalEndpoints {
  readonly #services: Readonly<Record<TrafficPolicy, Set<string>>> = { internal: new Set(), external: new Set() };

  note(key: string, service: Pick<ServiceInfo, 'internalLocal' | 'externalLocal'> | undefined, desired: DesiredService | undefined): void {
    // The twin (`local`) is there only when some address of the port has the policy Local.
    const isKept = desired?.ports.some(({ cluster, local }) => local?.length === 0 && cluster.length > 0) === true;
    for (const policy of POLICIES) {
      const isLocal = policy === 'internal' ? service?.internalLocal : service?.externalLocal;
      if (isKept && isLocal === true) this.#services[policy].add(key);
      else this.#services[policy].delete(key);
    }
  }

  count(policy: TrafficPolicy): number { return this.#services[policy].size; }
}
