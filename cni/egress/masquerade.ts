import type { Nft } from 'nftables-js';
import { formatIp, lastOf, networkOf, parseCidr, parseIp } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';
import type { MasqueradeRow } from '../plan/steps.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { addRows, deleteRows, hasCode, ownedRows } from './rows.ts';
import type { FoundRow, OwnedRow } from './rows.ts';
import { egressSets, keepSets, masqSets, rulesetText } from './table.ts';

/** The rows of the sets for "from `source` to anywhere but `exempt`". Pure. */
export function desiredMasqueradeRows(rows: readonly MasqueradeRow[], comment: string): readonly OwnedRow[] {
  return rows.flatMap((row) => {
    const source = cidr(row.source);
    const anywhere: Cidr = { family: row.family, address: 0n, prefix: 0 };
    return [
      pairRow(masqSets[row.family], source, anywhere, comment),
      ...row.exempt.map(cidr).filter((each) => each.family === row.family).map((each) => pairRow(keepSets[row.family], source, each, comment)),
    ];
  });
}

/**
 * Adds the rows of one owner; those that are there stay. An interval set takes no row that lies inside another one: what
 * the node's own rows say already (the overlay masquerades its whole pod network) needs no row of the pod.
 */
export async function addMasquerade(nft: Nft, rows: readonly MasqueradeRow[], comment: string, signal?: AbortSignal): Promise<void> {
  const wanted = desiredMasqueradeRows(rows, comment);
  if (wanted.length === 0) return;
  try {
    await addRows(nft, rulesetText, wanted, signal);
  } catch (error) {
    if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error;
    const present = await ownedRows(nft, egressSets, () => true);
    const missing = wanted.filter((row) => !present.some((each) => covers(each, row)));
    if (missing.length === wanted.length) throw error;
    if (missing.length > 0) await addRows(nft, rulesetText, missing, signal);
  }
}

/** Makes the owner's rows exactly these: for a whole node, whose exempt networks change with the cluster. */
export async function syncMasquerade(nft: Nft, rows: readonly MasqueradeRow[], comment: string, signal?: AbortSignal): Promise<void> {
  const wanted = desiredMasqueradeRows(rows, comment);
  const present = await ownedRows(nft, egressSets, (each) => each === comment);
  const keyOf = (set: string, key: unknown, keyEnd: unknown): string => JSON.stringify([set, key, keyEnd]);
  const wantedKeys = new Set(wanted.map((row) => keyOf(row.set.name, row.key, row.keyEnd)));
  const presentKeys = new Set(present.map(({ set, element }) => keyOf(set.name, element.key, element.keyEnd)));
  const missing = wanted.filter((row) => !presentKeys.has(keyOf(row.set.name, row.key, row.keyEnd)));
  if (present.every(({ set, element }) => wantedKeys.has(keyOf(set.name, element.key, element.keyEnd)))) {
    if (missing.length > 0) await addRows(nft, rulesetText, missing, signal);
    return;
  }
  await deleteRows(nft, egressSets, (each) => each === comment);
  if (wanted.length > 0) await addRows(nft, rulesetText, wanted, signal);
}

/** Throws 105 when a row of the owner is missing. */
export async function checkMasquerade(nft: Nft, rows: readonly MasqueradeRow[], comment: string): Promise<void> {
  const present = await ownedRows(nft, egressSets, () => true);
  for (const row of desiredMasqueradeRows(rows, comment)) {
    const found = present.some((each) => covers(each, row));
    if (!found) throw new CniError(cniCode.checkFailed, `CHECK: ${String(row.key)} is gone from set ${row.set.name} of table inet podwire-cni`);
  }
}

export async function removeMasquerade(nft: Nft, isMine: (comment: string) => boolean): Promise<void> {
  await deleteRows(nft, egressSets, isMine);
}

function pairRow(set: OwnedRow['set'], source: Cidr, destination: Cidr, comment: string): OwnedRow {
  return {
    set, comment, mode: 'add',
    key: [first(source), first(destination)],
    keyEnd: [last(source), last(destination)],
  };
}

/** Whether every packet of `row` is one of `found` too. */
function covers({ set, element }: FoundRow, row: OwnedRow): boolean {
  const numbers = (fields: unknown): readonly bigint[] => (fields as readonly unknown[]).map((field) => parseIp(String(field))?.value ?? -1n);
  if (set !== row.set) return false;
  const [from, to, rowFrom, rowTo] = [element.key, element.keyEnd ?? element.key, row.key, row.keyEnd ?? row.key].map(numbers) as [readonly bigint[], readonly bigint[], readonly bigint[], readonly bigint[]];
  return from.every((low, field) => low <= (rowFrom[field] ?? -1n)) && to.every((high, field) => high >= (rowTo[field] ?? high + 1n));
}

const first = (block: Cidr): string => formatIp({ family: block.family, value: networkOf(block) });
const last = (block: Cidr): string => formatIp({ family: block.family, value: lastOf(block) });

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new CniError(cniCode.invalidConfig, `masquerade: "${text}" is not a CIDR`);
  return parsed;
}
