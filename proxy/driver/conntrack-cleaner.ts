// Deletes UDP flows that go where they no longer should: soon after a change, looking only at UDP. A flow that still waits for its first
// answer is spared a little longer: without it, an answer that is on its way would not find back.
import type { Conntrack, ConntrackEntry } from 'nftables-js';
import { isStale } from '../core/stale-flows.ts';
import type { TableState } from '../core/table-state.ts';
import type { PortState, EndpointState } from '../core/port-state.ts';

const UDP = 17;

export class ConntrackCleaner {
  readonly #conntrack: Pick<Conntrack, 'list' | 'delete'>;
  #removedFronts = new Set<string>();
  #removedEndpoints = new Set<string>();
  /** Flows without an answer, by id, and since when they have been spared (ms). */
  #spared = new Map<number, number>();
  #isNeeded = true; // at start: what happened while no proxy ran is unknown

  constructor(conntrack: Pick<Conntrack, 'list' | 'delete'>) { this.#conntrack = conntrack; }

  get isNeeded(): boolean { return this.#isNeeded; }

  onEndpointGone(port: PortState, endpoint: EndpointState): void {
    if (!port.key.endsWith(`/${UDP}`) && port.key !== '') return;
    this.#isNeeded = true;
    this.#removedEndpoints.add(`${endpoint.address} ${UDP} ${endpoint.port}`);
  }

  onFrontChanged(key: string, isThere: boolean): void {
    if (!key.includes(` ${UDP} `)) return;
    this.#isNeeded = true;
    if (isThere) this.#removedFronts.delete(key);
    else this.#removedFronts.add(key);
  }

  /** `conntrack -D` for each stale flow of this family; returns how many. Those without an answer only after `graceMs`. */
  clean(state: TableState, isNodeIP: (address: string) => boolean, now: number, graceMs: number): number {
    const changes = { removedFronts: this.#removedFronts, removedEndpoints: this.#removedEndpoints };
    let deleted = 0;
    for (const entry of this.#conntrack.list({ family: state.family, protocol: UDP })) {
      if (!isStale(flowOf(entry), state, changes, isNodeIP)) continue;
      const since = this.#spared.get(entry.id) ?? now;
      if (!entry.flags.includes('SEEN_REPLY') && now - since < graceMs) {
        this.#spared.set(entry.id, since);
        continue;
      }
      this.#spared.delete(entry.id);
      if (this.#conntrack.delete(entry)) deleted++;
    }
    return deleted;
  }

  /** After every family was cleaned. True: some flows were spared, and another look is needed after the grace. */
  done(now: number, graceMs: number): boolean {
    for (const [id, since] of this.#spared) if (now - since >= graceMs) this.#spared.delete(id); // it ended by itself
    if (this.#spared.size > 0) return true;
    this.#isNeeded = false;
    this.#removedFronts = new Set();
    this.#removedEndpoints = new Set();
    return false;
  }
}

function flowOf({ protocol, original, reply }: ConntrackEntry): Parameters<typeof isStale>[0] {
  return { protocol, destination: original.dst, destinationPort: original.dstPort ?? 0, answerer: reply.src, answererPort: reply.srcPort ?? 0 };
}

