import { defineMap, defineSet } from 'nftables-js';
import type { SetSchema } from 'nftables-js';
import { table } from '../egress/table.ts';

/**
 * Host ports: further constant rules of table `inet podwire-cni`. A mapping is a row: the port of any address of this
 * node (`ports4`), or of one address (`ports-at4`), to a pod's address and port. The more specific one is looked up first.
 */
export const rulesetText = `
table inet podwire-cni {
  map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map ports_at4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map ports_at6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  # Who . pod: whose connections to the pod's host port must leave with the node's address, or the answer would go past
  # the node: the pod's own subnet (itself included) and 127.0.0.0/8.
  set hairpin4 { type ipv4_addr . ipv4_addr; flags interval; }
  set hairpin6 { type ipv6_addr . ipv6_addr; flags interval; }

  chain ports { }
  chain ports_prerouting { type nat hook prerouting priority dstnat; policy accept; }
  chain ports_output { type nat hook output priority -100; policy accept; }
  chain ports_postrouting { type nat hook postrouting priority srcnat; policy accept; }
}
flush chain inet podwire-cni ports
flush chain inet podwire-cni ports_prerouting
flush chain inet podwire-cni ports_output
flush chain inet podwire-cni ports_postrouting
table inet podwire-cni {
  chain ports_prerouting {
    fib daddr type local jump ports
  }
  chain ports_output {
    fib daddr type local jump ports
  }
  chain ports {
    dnat ip addr . port to ip daddr . meta l4proto . th dport map @ports_at4
    dnat ip addr . port to meta l4proto . th dport map @ports4
    dnat ip6 addr . port to ip6 daddr . meta l4proto . th dport map @ports_at6
    dnat ip6 addr . port to meta l4proto . th dport map @ports6
  }
  chain ports_postrouting {
    ct status dnat ip saddr . ip daddr @hairpin4 masquerade
    ct status dnat ip6 saddr . ip6 daddr @hairpin6 masquerade
  }
}
`;

const address = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;
const byFamily = <T>(make: (family: 4 | 6) => T): Readonly<Record<4 | 6, T>> => ({ 4: make(4), 6: make(6) });

export const ports = byFamily((f) => defineMap(table, `ports${f}`, ['inet_proto', 'inet_service'], [address[f], 'inet_service']));
export const portsAt = byFamily((f) => defineMap(table, `ports_at${f}`, [address[f], 'inet_proto', 'inet_service'], [address[f], 'inet_service']));
export const hairpin = byFamily((f) => defineSet(table, `hairpin${f}`, [address[f], address[f]], { interval: true }));

export const portMaps: readonly SetSchema[] = [ports[4], ports[6], portsAt[4], portsAt[6]];
export const portSets: readonly SetSchema[] = [...portMaps, hairpin[4], hairpin[6]];
