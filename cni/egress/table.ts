import { defineSet } from 'nftables-js';
import type { SetSchema, TableRef } from 'nftables-js';

/**
 * Table `inet podwire-cni`: constant rules over sets. An attachment is a row, never a rule, so the ruleset stays this
 * one screen however many pods there are. Each row's comment says whose it is (`plan/names.ts`).
 *
 * Loading it again is harmless: sets and their rows stay, chains are emptied and refilled in one transaction.
 */
export const table: TableRef = { family: 'inet', name: 'podwire-cni' };

export const rulesetText = `
table inet podwire-cni {
  # What comes from A and goes to B leaves with this node's address ...
  set masq4 { type ipv4_addr . ipv4_addr; flags interval; }
  set masq6 { type ipv6_addr . ipv6_addr; flags interval; }
  # ... unless it stays inside: the pod's own subnet, the cluster's networks.
  set keep4 { type ipv4_addr . ipv4_addr; flags interval; }
  set keep6 { type ipv6_addr . ipv6_addr; flags interval; }

  chain postrouting { type nat hook postrouting priority srcnat; policy accept; }
}
flush chain inet podwire-cni postrouting
table inet podwire-cni {
  chain postrouting {
    ip daddr 224.0.0.0/4 return
    ip6 daddr ff00::/8 return
    ip saddr . ip daddr @keep4 return
    ip6 saddr . ip6 daddr @keep6 return
    ip saddr . ip daddr @masq4 masquerade fully-random
    ip6 saddr . ip6 daddr @masq6 masquerade fully-random
  }
}
`;

const pair = (name: string, type: 'ipv4_addr' | 'ipv6_addr'): SetSchema => defineSet(table, name, [type, type], { interval: true });

export const masqSets = { 4: pair('masq4', 'ipv4_addr'), 6: pair('masq6', 'ipv6_addr') } as const;
export const keepSets = { 4: pair('keep4', 'ipv4_addr'), 6: pair('keep6', 'ipv6_addr') } as const;
export const egressSets: readonly SetSchema[] = [masqSets[4], masqSets[6], keepSets[4], keepSets[6]];
