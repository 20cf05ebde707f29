// Bytes per endpoint: what live connections have carried so far, plus what ended ones had carried when they ended. NAT rules see a
// connection's first packet only; connection tracking counts all of them, with net.netfilter.nf_conntrack_acct=1.
import type { Conntrack, ConntrackEntry } from 'nftables-js';
import { frontKey } from '../core/fronts.ts';
import type { TableState } from '../core/table-state.ts';

export interface EndpointTraffic { readonly service: string; readonly portKey: string; readonly address: string; readonly number: number; readonly family: 'ip' | 'ip6'; readonly toEndpoint: bigint; readonly fromEndpoint: bigint }

type Totals = { -readonly [K in keyof EndpointTraffic]: EndpointTraffic[K] };

export class TrafficAccount {
  readonly #conntrack: Pick<Conntrack, 'list' | 'watch'>;
  readonly #states: () => readonly TableState[];
  readonly #ended = new Map<string, Totals>();

  constructor(conntrack: Pick<Conntrack, 'list' | 'watch'>, states: () => readonly TableState[]) {
    this.#conntrack = conntrack;
    this.#states = states;
  }

  /** Follows the ends of connections. Only what was counted while it followed is counted: events that the kernel drops are lost. */
  start(signal: AbortSignal): void {
    this.#conntrack.watch((event) => { if (event.kind === 'destroy') this.#add(this.#ended, event.entry); }, signal, { kinds: ['destroy'] });
  }

  totals(): EndpointTraffic[] {
    const all = new Map([...this.#ended].map(([key, totals]) => [key, { ...totals }]));
    for (const entry of this.#conntrack.list()) this.#add(all, entry);
    return [...all.values()];
  }

  #add(into: Map<string, Totals>, entry: ConntrackEntry): void {
    const { counters, family, original, protocol, reply } = entry;
    if (counters === undefined || !entry.flags.includes('DST_NAT') || original.dstPort === undefined || reply.srcPort === undefined) return;
    const state = this.#states().find((one) => one.family === family);
    const port = state?.fronts.owner(frontKey({ address: original.dst, protocol, port: original.dstPort })) ?? state?.fronts.owner(frontKey({ address: '', protocol, port: original.dstPort }));
    if (port === undefined || port.isAdopted) return;
    const key = `${port.key} ${reply.src} ${reply.srcPort} ${family}`;
    const totals = into.get(key) ?? { service: port.service, portKey: port.key, address: reply.src, number: reply.srcPort, family, toEndpoint: 0n, fromEndpoint: 0n };
    totals.toEndpoint += counters.original.bytes;
    totals.fromEndpoint += counters.reply.bytes;
    into.set(key, totals);
  }
}
