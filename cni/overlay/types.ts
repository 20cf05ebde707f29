import type { KubeClient } from '@podwire/kube-client';

export type OverlayMode = 'vxlan' | 'host-gw';

/** The part of a pino logger that the overlay uses. */
export interface OverlayLog {
  debug(object: object, message: string): void;
  info(object: object, message: string): void;
  warn(object: object, message: string): void;
  error(object: object, message: string): void;
}

export interface OverlayOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch' | 'patch'>;
  readonly nodeName: string;
  /** This node's addresses in the underlay, at most one per family; the first one's family carries the VXLAN. */
  readonly nodeIPs: readonly string[];
  /** This node's pod networks, one per family: `Node.spec.podCIDRs`. */
  readonly podCIDRs: readonly string[];
  /** The whole cluster's pod networks: what goes there keeps the pod's address; everything else leaves with the node's. */
  readonly clusterCIDRs: readonly string[];
  /** Routed over the pod bridge, so that the node itself can reach cluster IPs. */
  readonly serviceCIDRs: readonly string[];
  readonly mode?: OverlayMode;
  /** With `vxlan`: peers on the same L2 network get a plain route. */
  readonly directRouting?: boolean;
  /** VXLAN network identifier. Default 4096. */
  readonly vni?: number;
  /** UDP port of VXLAN. Default 8472. */
  readonly port?: number;
  /**
   * `tx-checksum-ip-generic` of the VXLAN device. Off is the way round network cards and hypervisors that compute checksums of encapsulated
   * packets wrongly (connections hang while pings arrive); it costs a factor of three in throughput. Default on.
   */
  readonly txChecksum?: boolean;
  /** MTU of pods. Default: the underlay's less the encapsulation (50 over IPv4, 70 over IPv6; 0 for host-gw). */
  readonly mtu?: number;
  /** Underlay device. Default: the one that holds the first of `nodeIPs`. */
  readonly underlayDevice?: string;
  /** The pods' bridge. Default `pw-cni0`. */
  readonly bridge?: string;
  /** `ptp`: pods have routes of their own; the bridge exists only to route the Service CIDRs to. Default `bridge`. */
  readonly podInterface?: 'bridge' | 'ptp';
  /** Path of the network namespace to act in. Default: the process's own. */
  readonly netns?: string;
  /** Compare with the kernel this often even if nothing happened. Default 60 s. */
  readonly resyncMs?: number;
  readonly log: OverlayLog;
  readonly signal: AbortSignal;
}

export interface OverlayHandle {
  /** What pods' interfaces must have: pass it to `podNetworkConfig`. */
  readonly mtu: number;
  /** Resolves when the kernel first equals the Node list, the annotations are published and the condition is set. */
  readonly synced: Promise<void>;
  /** Peers and what is wrong with the others: for status pages. */
  state(): OverlayState;
  /** Asks for a comparison with the kernel now. */
  trigger(): void;
  /** Ends the loop. What it programmed stays: pods go on talking while the agent restarts. */
  stop(): Promise<void>;
}

export interface OverlayState {
  readonly peers: readonly string[];
  readonly problems: readonly Problem[];
  readonly lastSyncAt: number | undefined;
  /** Rows written or removed since the start. */
  readonly changes: number;
  readonly isPaused: boolean;
}

export interface Problem {
  readonly node: string;
  readonly text: string;
}

/** What the overlay reads of a Node. */
export interface NodeView {
  readonly name: string;
  readonly createdAt: string;
  readonly podCIDRs: readonly string[];
  readonly internalIPs: readonly string[];
  /** From annotations: addresses other than the InternalIPs, when the node says so. */
  readonly publicIPs: readonly string[];
  readonly vtepMac: string | undefined;
  readonly isPaused: boolean;
  /** status and reason of NetworkUnavailable. */
  readonly networkUnavailable: string | undefined;
}

/** This node, resolved against the kernel. */
export interface Self {
  readonly name: string;
  readonly mode: OverlayMode;
  readonly directRouting: boolean;
  readonly podCIDRs: readonly string[];
  readonly nodeIPs: readonly string[];
  readonly serviceCIDRs: readonly string[];
  readonly vtepMac: string;
  readonly vxlanDevice: string;
  readonly bridge: string;
  readonly underlay: { readonly name: string; readonly prefixes: readonly string[] };
}

export interface PeerRoute {
  readonly podCIDR: string;
  /** direct: the peer's address; vxlan: the first address of its podCIDR, which its VXLAN device holds. */
  readonly via: string;
  readonly method: 'vxlan' | 'direct';
}

export interface Peer {
  readonly node: string;
  readonly routes: readonly PeerRoute[];
  /** Set when one of the routes is a VXLAN one. */
  readonly vtep: { readonly mac: string; readonly address: string } | undefined;
}

export interface Row {
  /** Whose row it is; '' for this node's own. */
  readonly node: string;
}
export interface NeighbourRow extends Row { readonly ip: string; readonly mac: string }
export interface FdbRow extends Row { readonly mac: string; readonly dst: string }
export interface RouteRow extends Row { readonly to: string; readonly via: string | undefined; readonly dev: string; readonly onlink: boolean }

/** Rows of the kernel that are the overlay's: on the VXLAN device, or routes with its protocol number. */
export interface Rows {
  readonly neighbours: readonly NeighbourRow[];
  readonly fdb: readonly FdbRow[];
  readonly routes: readonly RouteRow[];
}

export type Operation =
  /** ip neigh replace IP lladdr MAC dev pw-vxlan nud permanent */
  | { readonly do: 'set-neighbour'; readonly row: NeighbourRow }
  /** bridge fdb replace MAC dst IP dev pw-vxlan self */
  | { readonly do: 'set-fdb'; readonly row: FdbRow }
  /** ip route replace TO via VIA dev DEV [onlink] proto 112 */
  | { readonly do: 'set-route'; readonly row: RouteRow }
  | { readonly do: 'delete-route'; readonly row: RouteRow }
  | { readonly do: 'delete-fdb'; readonly row: FdbRow }
  | { readonly do: 'delete-neighbour'; readonly row: NeighbourRow };
