// The constant part of a table as text, to tell whether somebody has changed it: chains, rules by handle, sets, policies; and whatever
// is there that should not be. The chains that data calls for come and go: of them it says only what is wrong.
import type { Nft } from 'nftables-js';
import { KEEPER_RULES, pickerName } from '../ruleset/render.ts';
import type { TableSchema } from '../ruleset/schema.ts';
import type { ChainCounts } from './transaction-sink.ts';

export async function rulePrint(nft: Nft, schema: TableSchema, pickers: ChainCounts, keepers: ChainCounts): Promise<string> {
  const { chains, rules, sets } = await nft.list(schema.table);
  const lines: string[] = [];
  for (const { name } of [schema.policies, schema.pickers, schema.keepers]) if (!sets.some((set) => set.name === name)) return `no map ${name}`;
  const runtime = new Map<string, number>();
  for (const value of pickers.existing) runtime.set(pickerName(value), 1);
  for (const value of keepers.existing) runtime.set(`keep-${value}`, KEEPER_RULES);
  for (const chain of chains) if (!runtime.has(chain.name)) lines.push(`chain ${chain.name} ${chain.hook?.number ?? '-'} ${chain.hook?.priority ?? '-'} ${chain.hook?.policy ?? '-'}`);
  const counted = new Map<string, number>();
  for (const rule of rules) {
    if (runtime.has(rule.chain)) counted.set(rule.chain, (counted.get(rule.chain) ?? 0) + 1);
    else lines.push(`rule ${rule.chain} ${rule.handle} ${rule.expressions.join(' ')} ${rule.references.filter((name) => !name.startsWith('__')).join(' ')}`);
  }
  for (const [name, wanted] of runtime) if (counted.get(name) !== wanted) lines.push(`chain ${name} has ${counted.get(name) ?? 0} rules`);
  for (const set of sets) if (!set.isAnonymous) lines.push(`set ${set.name} ${set.handle} ${set.flags.join(' ')}`);
  await nft.elements(schema.policies, (element) => void lines.push(`policy ${element.toString()}`));
  for (const [map, counts] of [[schema.pickers, pickers], [schema.keepers, keepers]] as const) {
    const found = new Set<number>();
    await nft.elements(map, (element) => void found.add(element.rawKey.readUInt32LE(0)));
    for (const value of new Set([...found, ...counts.existing])) if (!found.has(value) || !counts.existing.has(value)) lines.push(`${map.name} ${value} ${found.has(value) ? 'foreign' : 'missing'}`);
  }
  return lines.sort().join('\n');
}
