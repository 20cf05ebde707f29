// What a link is made of, in the words of `ip link`.
import type { OptionTable } from './option-table.ts';

/** A device by name or by ifindex. */
export type Device = string | number;

/** `type bridge ...`; times in 1/100 s as the kernel counts them. */
export interface BridgeOptions {
  readonly forwardDelay?: number;
  readonly ageingTime?: number;
  readonly stpState?: number;
  readonly priority?: number;
  readonly vlanFiltering?: boolean;
  readonly vlanDefaultPvid?: number;
  readonly groupFwdMask?: number;
  readonly mcastSnooping?: boolean;
  readonly nfCallIptables?: boolean;
  readonly nfCallIp6tables?: boolean;
  readonly nfCallArptables?: boolean;
}
export const bridgeTable: OptionTable<Required<BridgeOptions>> = {
  forwardDelay: [1, 'u32'], ageingTime: [4, 'u32'], stpState: [5, 'u32'], priority: [6, 'u16'], vlanFiltering: [7, 'bool'], vlanDefaultPvid: [39, 'u16'],
  groupFwdMask: [9, 'u16'], mcastSnooping: [23, 'bool'], nfCallIptables: [36, 'bool'], nfCallIp6tables: [37, 'bool'], nfCallArptables: [38, 'bool'],
};

/** Settings of a bridge port: `bridge link set dev DEV hairpin on isolated on ...`. */
export interface BridgePortOptions {
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
  readonly learning?: boolean;
  /** Unicast flood. */
  readonly flood?: boolean;
  readonly mcastFlood?: boolean;
  readonly bcastFlood?: boolean;
  readonly guard?: boolean;
  readonly rootBlock?: boolean;
  readonly proxyArp?: boolean;
  readonly neighSuppress?: boolean;
  /** 0 disabled, 3 forwarding. */
  readonly state?: number;
  readonly priority?: number;
  readonly cost?: number;
}
export const bridgePortTable: OptionTable<Required<BridgePortOptions>> = {
  hairpin: [4, 'bool'], isolated: [33, 'bool'], learning: [8, 'bool'], flood: [9, 'bool'], mcastFlood: [27, 'bool'], bcastFlood: [30, 'bool'], guard: [5, 'bool'], rootBlock: [6, 'bool'],
  proxyArp: [10, 'bool'], neighSuppress: [32, 'bool'], state: [1, 'u8'], priority: [2, 'u16'], cost: [3, 'u32'],
};

/** `type vxlan id VNI dstport PORT local IP dev DEV ...` */
export interface VxlanOptions {
  readonly id?: number;
  /** UDP destination port. The kernel's default is 8472; IANA's is 4789. */
  readonly port?: number;
  readonly local?: string;
  readonly local6?: string;
  /** Remote or multicast group. */
  readonly group?: string;
  readonly group6?: string;
  /** ifindex of the underlay device. */
  readonly link?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Learn peers from traffic. Off for an overlay that is programmed from a list. */
  readonly learning?: boolean;
  readonly ageing?: number;
  readonly proxy?: boolean;
  readonly l2miss?: boolean;
  readonly l3miss?: boolean;
  readonly portRange?: readonly [number, number];
  readonly udpCsum?: boolean;
  readonly udp6ZeroCsumTx?: boolean;
  readonly udp6ZeroCsumRx?: boolean;
  /** 0 unset, 1 set, 2 inherit. */
  readonly df?: number;
}
export const vxlanTable: OptionTable<Required<VxlanOptions>> = {
  id: [1, 'u32'], port: [15, 'be16'], local: [4, 'ip'], local6: [17, 'ip'], group: [2, 'ip'], group6: [16, 'ip'], link: [3, 'u32'], ttl: [5, 'u8'], tos: [6, 'u8'], learning: [7, 'bool'], ageing: [8, 'u32'],
  proxy: [11, 'bool'], l2miss: [13, 'bool'], l3miss: [14, 'bool'], portRange: [10, 'port-range'], udpCsum: [18, 'bool'], udp6ZeroCsumTx: [19, 'bool'], udp6ZeroCsumRx: [20, 'bool'], df: [29, 'u8'],
};

/** What any link can have. */
export interface LinkAttributes {
  readonly mtu?: number;
  readonly mac?: string;
  /** The bridge to join; null leaves it. */
  readonly master?: Device | null;
  /** `group N`: links of one group are listed and deleted together. */
  readonly group?: number;
  readonly txQueueLen?: number;
  readonly alias?: string;
  readonly up?: boolean;
  readonly promisc?: boolean;
  /** Path of the namespace in which the link is made (or to which it moves). */
  readonly netns?: string;
  /** `addrgenmode none`: no IPv6 link-local address of its own (0 eui64, 1 none). */
  readonly addrGenMode?: number;
}

export type LinkSpec = LinkAttributes & { readonly name: string } & (
  | { readonly kind: 'veth'; readonly peer: LinkAttributes & { readonly name: string } }
  | { readonly kind: 'bridge'; readonly bridge?: BridgeOptions }
  | { readonly kind: 'vxlan'; readonly vxlan: VxlanOptions }
  | { readonly kind: 'dummy' | 'ifb' });

export interface LinkChanges extends LinkAttributes {
  /** New name. The link must be down on older kernels. */
  readonly name?: string;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  /** 'veth', 'bridge', 'vxlan', ...; undefined for real devices and lo. */
  readonly kind: string | undefined;
  readonly mtu: number;
  readonly mac: string | undefined;
  readonly flags: number;
  /** Administratively up (IFF_UP). */
  readonly isUp: boolean;
  /** 'up', 'down', 'lowerlayerdown', 'unknown', ... (RFC 2863). */
  readonly operState: string;
  /** ifindex of the bridge. */
  readonly master: number | undefined;
  /** ifindex of the peer (veth) or of the lower device, in its own namespace. */
  readonly link: number | undefined;
  /** Set when `link` lies in another namespace. */
  readonly linkNetnsId: number | undefined;
  readonly group: number;
  readonly txQueueLen: number | undefined;
  readonly alias: string | undefined;
  readonly promiscuity: number;
  readonly bridge?: BridgeOptions;
  readonly vxlan?: VxlanOptions;
  readonly port?: BridgePortOptions;
}
