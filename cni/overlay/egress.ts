import type { Nft } from 'nftables-js';
import { lastOf, networkOf, parseCidr } from '../ipam/address.ts';
import { syncMasquerade } from '../egress/masquerade.ts';
import { hasCode } from '../egress/rows.ts';
import { rulesetText, table } from '../egress/table.ts';
import type { MasqueradeRow } from '../plan/steps.ts';

/** Marks the overlay's rows among those of single attachments. */
export const EGRESS_OWNER = 'overlay';

/**
 * What this node's pods send to anywhere but the cluster's pods leaves with the node's address: nobody else knows the way back to a pod.
 * Networks inside another one are left out: an interval set holds no overlaps. Pure.
 */
export function desiredEgress(podCIDRs: readonly string[], insideCIDRs: readonly string[]): readonly MasqueradeRow[] {
  const all = [...insideCIDRs, ...podCIDRs].flatMap((text) => { const cidr = parseCidr(text); return cidr === undefined ? [] : [{ text, cidr, first: networkOf(cidr) }]; });
  // By where they begin, the larger first: what lies inside another one follows it.
  all.sort((a, b) => a.cidr.family - b.cidr.family || (a.first < b.first ? -1 : a.first > b.first ? 1 : a.cidr.prefix - b.cidr.prefix));
  const outermost: typeof all = [];
  for (const each of all) {
    const before = outermost.at(-1);
    if (before?.cidr.family !== each.cidr.family || each.first > lastOf(before.cidr)) outermost.push(each);
  }
  return podCIDRs.flatMap((source) => {
    const cidr = parseCidr(source);
    return cidr === undefined ? [] : [{ family: cidr.family, source, exempt: outermost.filter((each) => each.cidr.family === cidr.family).map(({ text }) => text) }];
  });
}

const RULES = rulesetText.split('\n').filter((line) => /\b(return|masquerade fully-random)$/.test(line)).length;

/** Writes what is missing: the rows of this node, and the constant rules when somebody flushed them. */
export async function syncEgress(nft: Nft, podCIDRs: readonly string[], insideCIDRs: readonly string[], signal: AbortSignal): Promise<void> {
  if ((await countRules(nft)) !== RULES) await nft.loadRuleset(rulesetText, { signal });
  await syncMasquerade(nft, desiredEgress(podCIDRs, insideCIDRs), EGRESS_OWNER, signal);
}

async function countRules(nft: Nft): Promise<number> {
  try {
    return (await nft.list(table)).rules.filter(({ chain }) => chain === 'postrouting').length;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}
