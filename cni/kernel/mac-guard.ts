import { defineSet } from 'nftables-js';
import type { Nft, TableRef } from 'nftables-js';
import { addRows, deleteRows } from '../egress/rows.ts';
import type { Step } from '../plan/steps.ts';

/** `macspoofchk`: a guarded port may send only with the MAC that it was given. Constant rules, one row per port. */
const table: TableRef = { family: 'bridge', name: 'podwire-cni' };

const rulesetText = `
table bridge podwire-cni {
  set guarded { type ifname; }
  set allowed { type ifname . ether_addr; }
  chain prerouting { type filter hook prerouting priority -300; policy accept; }
}
flush chain bridge podwire-cni prerouting
table bridge podwire-cni {
  chain prerouting {
    iifname @guarded iifname . ether saddr != @allowed drop
  }
}
`;

const guarded = defineSet(table, 'guarded', ['ifname']);
const allowed = defineSet(table, 'allowed', ['ifname', 'ether_addr']);

export async function addMacGuard(nft: Nft, step: Step & { readonly do: 'mac-guard' }, signal?: AbortSignal): Promise<void> {
  const { name, mac, comment } = step;
  await addRows(nft, rulesetText, [
    { set: guarded, key: name, comment, mode: 'add' },
    { set: allowed, key: [name, mac], comment, mode: 'add' },
  ], signal);
}

export async function removeMacGuard(nft: Nft, isMine: (comment: string) => boolean): Promise<void> {
  await deleteRows(nft, [guarded, allowed], isMine);
}
