// A namespace's tables as the packet model reads them: one dump, then no more system calls.
import type { Nft } from 'nftables-js';
import { addressNumber } from '../core/address.ts';
import type { AddressRange, IpFamily } from '../core/address.ts';
import type { RuleRows } from '../core/explain.ts';
import { ROW_MAPS } from '../core/rows.ts';
import type { Row } from '../core/rows.ts';
import { plainRows } from '../core/rule-rows.ts';
import type { AffinityRow } from '../core/rule-rows.ts';
import { readRows } from '../driver/kernel-rows.ts';
import type { KernelRow } from '../driver/kernel-rows.ts';
import { tableSchema } from '../ruleset/schema.ts';

export interface KernelView { readonly rows: RuleRows; readonly plain: readonly KernelRow[] }

/** undefined: the namespace has no such table (no proxy has run there). */
export async function readKernel(nft: Nft, family: IpFamily): Promise<KernelView | undefined> {
  const schema = tableSchema(family);
  const { tables } = await nft.list(schema.table);
  if (tables.length === 0) return undefined;
  const plain: KernelRow[] = [];
  for (const map of ROW_MAPS) await readRows(nft, schema, map, (row) => plain.push(row));
  const ranges = async (set: 'svc-net' | 'pod-net' | 'node-ip'): Promise<AddressRange[]> => intervals((await nft.elements(schema.config[set])).map((element) => ({ address: String(element.key[0]), isEnd: element.intervalEnd === true })), family);
  const affinity = (await nft.elements(schema.affinity)).map((element): AffinityRow => ({ servicePort: Number(element.key[0]), client: String(element.key[1]), endpoint: Number(element.data?.[0]) }));
  const sources = plain.filter((row) => row.map === 'source-ok');
  const config = { 'svc-net': await ranges('svc-net'), 'pod-net': await ranges('pod-net'), 'node-ip': await ranges('node-ip') };
  return { plain, rows: plainRows(family, plain, config, affinity, (id, client) => sources.some((row) => holds(row, id, client))) };
}

function holds(row: Row, id: number, client: string): boolean {
  if (row.key[0] !== id) return false;
  const value = addressNumber(client);
  return addressNumber(String(row.key[1])) <= value && value <= addressNumber(String((row.keyEnd ?? row.key)[1]));
}

/** The kernel lists an interval set as starts and (exclusive) ends. */
function intervals(marks: readonly { readonly address: string; readonly isEnd: boolean }[], family: IpFamily): AddressRange[] {
  const sorted = marks.map(({ address, isEnd }) => ({ at: addressNumber(address), isEnd })).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.isEnd ? -1 : 1));
  const found: AddressRange[] = [];
  let open: bigint | undefined;
  for (const { at, isEnd } of sorted) {
    if (!isEnd) open = at;
    else if (open !== undefined) {
      found.push({ first: open, last: at - 1n });
      open = undefined;
    }
  }
  if (open !== undefined) found.push({ first: open, last: (1n << (family === 'ip' ? 32n : 128n)) - 1n });
  return found;
}
