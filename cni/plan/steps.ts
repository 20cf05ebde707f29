/**
 * The kernel's objects of one attachment as data, in the order in which they are made. `kernel/apply.ts` carries them
 * out; a step that leaves something behind when the host veth is deleted has its undo there.
 */
export type Step =
  /** sysctl -w in the host's namespace. */
  | { readonly do: 'host-sysctl'; readonly key: string; readonly value: string }
  /** bridge-nf-call-iptables=1: replies of Services between pods of one bridge need it. */
  | { readonly do: 'bridge-filter'; readonly families: readonly (4 | 6)[] }
  /** ip link add NAME type bridge; found ones stay as they are. Without `dad` its own addresses are usable at once. */
  | { readonly do: 'bridge'; readonly name: string; readonly mac?: string; readonly mtu?: number; readonly promisc: boolean; readonly dad: boolean }
  /** ip addr add ADDRESS dev NAME [nodad]; `force` removes other addresses of an overlapping subnet, without it they are an error. */
  | { readonly do: 'bridge-address'; readonly name: string; readonly address: string; readonly force: boolean; readonly dad: boolean }
  /** ip link add HOST type veth peer name NAME netns NETNS. */
  | {
    readonly do: 'veth'; readonly host: string; readonly hostMac: string; readonly alias: string; readonly master?: string; readonly mtu?: number;
    readonly name: string; readonly mac?: string; readonly netns: string;
  }
  /** bridge link set dev NAME hairpin on isolated on. */
  | { readonly do: 'bridge-port'; readonly name: string; readonly hairpin: boolean; readonly isolated: boolean }
  | { readonly do: 'up'; readonly where: Where; readonly name: string }
  | { readonly do: 'pod-sysctl'; readonly key: string; readonly value: string }
  /** ip addr add ADDRESS dev NAME [nodad] [noprefixroute]. */
  | { readonly do: 'address'; readonly where: Where; readonly name: string; readonly address: string; readonly nodad: boolean; readonly noPrefixRoute: boolean }
  | { readonly do: 'route'; readonly where: Where; readonly name: string; readonly route: PlannedRoute }
  /** Waits until IPv6 duplicate address detection is through. */
  | { readonly do: 'settle'; readonly where: Where; readonly name: string }
  /** Rows of the sets that `egress/` reads. */
  | { readonly do: 'masquerade'; readonly rows: readonly MasqueradeRow[]; readonly comment: string }
  /** Only this MAC may send from this host veth. */
  | { readonly do: 'mac-guard'; readonly name: string; readonly mac: string; readonly comment: string };

export type Where = 'host' | 'pod';

export interface PlannedRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly onlink?: boolean;
  readonly scope?: number;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly src?: string;
}

/** What comes from `source` and does not go to one of `exempt` leaves with the node's address. */
export interface MasqueradeRow {
  readonly family: 4 | 6;
  readonly source: string;
  readonly exempt: readonly string[];
}
