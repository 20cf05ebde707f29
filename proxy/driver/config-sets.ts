// The interval sets that say which networks are the pods', the Services' and the node's: written whole, they are short.
import { Transaction } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { numberAddress } from '../core/address.ts';
import type { AddressRange, IpFamily } from '../core/address.ts';
import type { ConfigSet, TableSchema } from '../ruleset/schema.ts';

export const CONFIG_SETS: readonly ConfigSet[] = ['svc-net', 'pod-net', 'node-ip'];

/** nft flush set ...; add element ... { ranges } */
export function configTransaction(schema: TableSchema, set: ConfigSet, ranges: readonly AddressRange[]): Transaction {
  const transaction = new Transaction(schema.table).flushSet(schema.config[set]);
  for (const range of ranges) {
    const end = endOf(range, schema.family);
    transaction.addRange(schema.config[set], { first: bytesOf(range.first, schema.family), ...(end === undefined ? {} : { end: bytesOf(range.last + 1n, schema.family) }) });
  }
  return transaction;
}

/** What the kernel has instead of `ranges`, as text; undefined: they are what it has. */
export async function configDrift(nft: Nft, schema: TableSchema, set: ConfigSet, ranges: readonly AddressRange[]): Promise<string | undefined> {
  const { family } = schema;
  const wanted = ranges.flatMap((range) => {
    const end = endOf(range, family);
    return end === undefined ? [numberAddress(range.first, family)] : [numberAddress(range.first, family), `${end} end`];
  });
  const found = (await nft.elements(schema.config[set])).map((element) => `${element.key.join()}${element.intervalEnd === true ? ' end' : ''}`);
  // The kernel opens a set with the end of a gap before the first range.
  const relevant = found.filter((text) => text !== `${family === 'ip' ? '0.0.0.0' : '::'} end`);
  return relevant.toSorted().join() === wanted.toSorted().join() ? undefined : relevant.join();
}

export function rangesText(ranges: readonly AddressRange[]): string {
  return ranges.map((range) => `${range.first}-${range.last}`).join();
}

/** The first address behind a range; none when it reaches to the last there is. */
function endOf(range: AddressRange, family: IpFamily): string | undefined {
  return range.last + 1n >> (family === 'ip' ? 32n : 128n) > 0n ? undefined : numberAddress(range.last + 1n, family);
}

function bytesOf(value: bigint, family: IpFamily): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 'ip' ? 8 : 32, '0'), 'hex');
}
