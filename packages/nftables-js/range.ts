import { unusable } from './errors.ts';
import { writeIPv4, writeIPv6 } from './fields.ts';
import type { ElementRange } from './transaction.ts';

function addressBytes(address: string): Buffer {
  const isV6 = address.includes(':');
  const bytes = Buffer.alloc(isV6 ? 16 : 4);
  (isV6 ? writeIPv6 : writeIPv4)(bytes, 0, address);
  return bytes;
}

/** The keys of `10.96.0.0/16`, `fd00::/64` or a bare address. Host bits must be zero, as `nft` masks them silently and `ip` refuses them. */
export function cidrRange(cidr: string): ElementRange {
  const [address = '', bitsText] = cidr.split('/');
  const first = addressBytes(address);
  const width = first.length * 8;
  const bits = bitsText === undefined ? width : /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : -1;
  if (bits < 0 || bits > width) throw unusable('CIDR', cidr, `ADDRESS/BITS with BITS from 0 to ${width}`);
  let value = BigInt(`0x${first.toString('hex')}`);
  const size = 1n << BigInt(width - bits);
  if (value % size !== 0n) throw unusable('CIDR', cidr, 'a network address: it has host bits set');
  value += size;
  return value >> BigInt(width) > 0n ? { first } : { first, end: Buffer.from(value.toString(16).padStart(first.length * 2, '0'), 'hex') };
}
