// The kernel's drop reasons in a person's words, each with what to do. Names: include/net/dropreason-core.h of Linux.

export interface Explained {
  readonly reason: string;
  readonly remedy: string;
}

const table: Readonly<Record<string, Explained>> = {
  NETFILTER_DROP: { reason: 'a rule of nftables drops it', remedy: 'find the rule: nft -a list ruleset' },
  IP_INNOROUTES: { reason: 'no route to the destination', remedy: 'restore the route to the pod network of the other node: ip route' },
  IP_OUTNOROUTES: { reason: 'no route to the destination', remedy: 'restore the route to the pod network of the other node: ip route' },
  IP_INADDRERRORS: { reason: 'ip_forward is off: this node forwards nothing', remedy: 'sysctl -w net.ipv4.ip_forward=1' },
  IP_RPFILTER: { reason: 'rp_filter: the way back to the source leads through another device', remedy: 'set net.ipv4.conf.*.rp_filter to 0 or 2, or restore the route back' },
  IP_LOCAL_SOURCE: { reason: 'the source address is this node\'s own', remedy: 'look for an address that two nodes have: ip addr' },
  NO_TX_TARGET: { reason: 'VXLAN: no FDB entry says behind which node that MAC is', remedy: 'restore the FDB entry: bridge fdb show dev pw-vxlan; the agent writes it from the Node list' },
  NEIGH_FAILED: { reason: 'nobody answers for that address on the link', remedy: 'is the pod gone, or a neighbour entry missing? ip neigh' },
  NEIGH_QUEUEFULL: { reason: 'nobody answers for that address on the link', remedy: 'is the pod gone, or a neighbour entry missing? ip neigh' },
  PKT_TOO_BIG: { reason: 'the packet is larger than the MTU and must not be fragmented', remedy: 'lower the sender\'s MTU, or let path MTU discovery work (ICMP must pass)' },
  NO_SOCKET: { reason: 'nothing listens on that port', remedy: 'start the server, or correct the Service\'s targetPort' },
  UNHANDLED_PROTO: { reason: 'nobody here handles that protocol', remedy: 'check the device\'s configuration: ip -d link' },
  VXLAN_VNI_NOT_FOUND: { reason: 'no VXLAN device has that network identifier', remedy: 'the nodes must use one VNI: ip -d link show pw-vxlan' },
  LOCAL_MAC: { reason: 'VXLAN: the sender\'s MAC is this node\'s own: two nodes have the same', remedy: 'give the VXLAN devices different MACs; clear cloned machine-ids' },
  MAC_INVALID_SOURCE: { reason: 'the source MAC is not valid', remedy: 'check the VXLAN device\'s MAC: ip link' },
  DEV_READY: { reason: 'the device is down', remedy: 'ip link set DEV up' },
  QDISC_DROP: { reason: 'a queueing discipline drops it', remedy: 'tc -s qdisc' },
};

/** Where IPv6 has a switch of its own. */
const table6: Readonly<Record<string, Explained>> = {
  IP_INADDRERRORS: { reason: 'net.ipv6.conf.all.forwarding is off: this node forwards no IPv6', remedy: 'sysctl -w net.ipv6.conf.all.forwarding=1' },
};

export function explainReason(kernelReason: string, family: 'ip' | 'ip6' = 'ip'): Explained {
  return (family === 'ip6' ? table6[kernelReason] : undefined) ?? table[kernelReason] ?? { reason: 'the kernel gave it up', remedy: 'look the reason up in include/net/dropreason-core.h' };
}

/** Reasons that name a symptom: what an inspection of the places finds says more. */
const vague = new Set(['NETFILTER_DROP', 'NEIGH_FAILED', 'NEIGH_QUEUEFULL', 'QDISC_DROP', 'UNHANDLED_PROTO', 'DEV_READY']);

/** Whether the kernel's reason says by itself what is wrong. */
export const isTelling = (kernelReason: string): boolean => kernelReason in table && !vague.has(kernelReason);
