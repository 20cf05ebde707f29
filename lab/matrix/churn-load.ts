// Requests without a pause, of one place to one address, until it is told to stop.
import { setTimeout as delay } from 'node:timers/promises';
import type { ProbeResult } from '../probe/protocol.ts';
import type { Family } from './model.ts';
import type { Place } from './places.ts';
import type { Prober } from './prober.ts';
import { familyOf } from './topology.ts';
import { PORT } from './workload-objects.ts';

const GAP_MS = 100;
/** A busy machine answers late: longer than that is lost. A SYN is sent again after one and after three seconds. */
const TIMEOUT_MS = 4000;
/** A load that only grows when answers are late would measure the machine, not the network. */
const OUTSTANDING_AT_MOST = 8;

/** When it was sent, and what came of it. */
export interface Request {
  readonly atMs: number;
  readonly result: ProbeResult;
}

/** All the requests of one place over one protocol and family. */
export interface Stream {
  readonly place: Place;
  readonly protocol: 'TCP' | 'UDP';
  readonly family: Family;
  readonly requests: readonly Request[];
}

export interface Source {
  readonly place: Place;
  readonly prober: Prober;
}

/** Over TCP and UDP from everywhere to each address. Ends, with all answers, when `stop` says so. */
export async function loadAll(from: readonly Source[], addresses: readonly string[], stop: AbortSignal): Promise<readonly Stream[]> {
  return Promise.all(from.flatMap(({ place, prober }) => addresses.flatMap((host) => (['TCP', 'UDP'] as const).map(async (protocol) => ({
    place, protocol, family: familyOf(host), requests: await loadOne(prober, protocol === 'TCP' ? 'tcp' : 'udp', host, stop),
  })))));
}

async function loadOne(prober: Prober, protocol: 'tcp' | 'udp', host: string, stop: AbortSignal): Promise<readonly Request[]> {
  const requests: Request[] = [];
  const running = new Set<Promise<void>>();
  while (!stop.aborted) {
    const atMs = performance.now();
    const one: Promise<void> = prober.attempt({ protocol, host, port: PORT, timeoutMs: TIMEOUT_MS }).then((result) => { requests.push({ atMs, result }); }).finally(() => { running.delete(one); });
    running.add(one);
    await (running.size < OUTSTANDING_AT_MOST ? delay(GAP_MS) : Promise.race(running));
  }
  await Promise.all(running);
  return requests.sort((a, b) => a.atMs - b.atMs);
}
