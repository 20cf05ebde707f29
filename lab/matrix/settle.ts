import { setTimeout as delay } from 'node:timers/promises';
import { familyOf } from './topology.ts';
import type { Topology } from './topology.ts';
import type { Prober } from './prober.ts';
import { PORT } from './workload-objects.ts';

const DEADLINE_MS = 15_000;

/**
 * New Services reach the nodes a moment after the API knows them. Waits until each place is answered at every cluster IP that has
 * endpoints, and each pod by every name, but not for ever: what does not come by then is the matrix's finding, not this step's.
 */
export async function settle({ services, otherServices }: Topology, probers: ReadonlyMap<string, Prober>, { patience, signal }: { readonly patience: number; readonly signal: AbortSignal | undefined }): Promise<void> {
  const targets = [...services.values()].filter(({ ready }) => ready).flatMap(({ clusterIPs }) => clusterIPs).map((host) => ({ host }));
  const dns = otherServices.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns');
  const [server] = dns?.clusterIPs ?? [];
  const byName = server === undefined ? [] : [...services.values()].filter(({ ready }) => ready).map(({ name }) => ({ host: '', lookup: { name, server, port: 53, record: familyOf(server) === 'IPv6' ? 'AAAA' : 'A', transport: 'udp' } as const }));
  const deadline = performance.now() + DEADLINE_MS * patience;
  await Promise.all([...probers].filter(([name]) => name !== 'outside').map(async ([name, prober]) => {
    for (const target of [...targets, ...(name.startsWith('pod ') ? byName : [])]) {
      while (performance.now() < deadline) {
        const { ok } = await prober.attempt({ protocol: 'connect', port: PORT, timeoutMs: 500 * patience, ...target });
        if (ok) break;
        await delay(50, undefined, signal === undefined ? {} : { signal });
      }
    }
  }));
}
