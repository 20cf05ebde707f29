// Which part of the pod network a node gets, pure.
import ipaddr from 'ipaddr.js';

export interface Cidr {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly bits: 32 | 128;
  readonly prefix: number;
}

const toNumber = (bytes: readonly number[]): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** `10.244.0.0/16` as numbers; host bits are cleared. Throws a RangeError that names the text. */
export function parseCidr(text: string): Cidr {
  try {
    const [address, prefix] = ipaddr.parseCIDR(text);
    const bits = address.kind() === 'ipv4' ? 32 : 128;
    const host = BigInt(bits - prefix);
    return { family: bits === 32 ? 4 : 6, bits, prefix, base: (toNumber(address.toByteArray()) >> host) << host };
  } catch (error) {
    throw new RangeError(`${JSON.stringify(text)} is not a network such as 10.244.0.0/16 or fd00:10:244::/56`, { cause: error });
  }
}

export function formatCidr({ base, bits, prefix }: Cidr): string {
  const bytes = Array.from({ length: bits / 8 }, (_, index) => Number((base >> BigInt(bits - 8 * (index + 1))) & 255n));
  return `${ipaddr.fromByteArray(bytes).toString()}/${prefix}`;
}

/** The lowest part of `network` of that prefix length that overlaps none of `taken`; `undefined` when it is full. */
export function nextFree(network: Cidr, prefix: number, taken: readonly Cidr[]): Cidr | undefined {
  const size = 1n << BigInt(network.bits - prefix);
  const end = network.base + (1n << BigInt(network.bits - network.prefix));
  const used = taken.filter(({ family }) => family === network.family).map((one) => ({ from: one.base, to: one.base + (1n << BigInt(one.bits - one.prefix)) })).sort((a, b) => (a.from < b.from ? -1 : 1));
  let base = network.base;
  for (const { from, to } of used) {
    if (from >= base + size) break;
    if (to > base) base = ((to - network.base + size - 1n) / size) * size + network.base;
  }
  return base + size <= end ? { ...network, base, prefix } : undefined;
}
