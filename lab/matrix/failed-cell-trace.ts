import type { Lab } from '../state/existing.ts';
import { traceLab, verdictLine } from '../trace/index.ts';
import type { Trace } from '../trace/index.ts';
import type { Cell } from './model.ts';
import type { Place } from './places.ts';

/** One packet of a failed cell, followed through the lab: where it was lost, in a line. */
export async function traceCell(lab: Lab, { place, host, port, protocol, lookup }: Cell): Promise<string | undefined> {
  if (protocol === 'SCTP') return undefined;
  const follow = async (to: Pick<Cell, 'host' | 'port'>): Promise<Trace> => traceLab(lab, { from: traceFrom(place), to: to.host.includes(':') ? `[${to.host}]:${to.port}` : `${to.host}:${to.port}`, protocol: protocol === 'UDP' ? 'udp' : 'tcp' });
  try {
    // A cell by name has two ways: to the DNS, and to what the name means.
    const first = lookup === undefined ? undefined : await follow({ host: lookup.server, port: lookup.port });
    return verdictLine(first !== undefined && first.verdict !== 'DELIVERED' ? first : await follow({ host, port }));
  } catch (error) {
    return `no trace: ${error instanceof Error ? error.message : String(error)}`; // the report of the cells must not be lost with it
  }
}

function traceFrom(place: Place): string {
  switch (place.kind) {
    case 'pod': return `${place.namespace}/${place.name}`;
    case 'node': return `node/${place.name}`;
    case 'outside': return 'outside';
  }
}
