import ipaddr from 'ipaddr.js';

export type Family = 4 | 6;

/** An IP address as a number: ranges are walked and compared, text is only for people and files. */
export interface Ip {
  readonly family: Family;
  readonly value: bigint;
}

export interface Cidr {
  readonly family: Family;
  /** The address as written, host bits included. */
  readonly address: bigint;
  readonly prefix: number;
}

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

/** '10.0.0.1' or 'fd00::1'; undefined for anything else (also for the old forms of inet_aton such as '10.1'). */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { family: 4, value: BigInt(v4) };
  if (!text.includes('%') && ipaddr.IPv6.isValid(text)) {
    const parsed = ipaddr.IPv6.parse(text);
    if (parsed.isIPv4MappedAddress()) return { family: 4, value: fromBytes(parsed.toIPv4Address().toByteArray()) };
    return { family: 6, value: fromBytes(parsed.toByteArray()) };
  }
  return undefined;
}

/**
 * Digit by digit: an executable parses a dozen addresses in its life, and a regular expression costs it more to compile
 * than all of them to read.
 */
function parseIpv4(text: string): number | undefined {
  let [value, byte, digits, dots] = [0, 0, 0, 0];
  for (let at = 0; at <= text.length; at++) {
    const digit = at === text.length ? dot : text.charCodeAt(at) - zero;
    if (digit === dot) {
      if (digits === 0 || byte > 255 || ++dots > 4) return undefined;
      [value, byte, digits] = [value * 256 + byte, 0, 0];
    } else {
      // A leading zero would mean octal to some and decimal to others.
      if (digit < 0 || digit > 9 || digits === 3 || (digits > 0 && byte === 0)) return undefined;
      byte = byte * 10 + digit;
      digits++;
    }
  }
  return dots === 4 ? value : undefined;
}

const isDigits = (text: string): boolean => text !== '' && Buffer.from(text).every((each) => each >= zero && each <= zero + 9);

const zero = 48;
/** '.' less '0' */
const dot = -2;

/** '10.0.0.1/24'; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const ip = slash === -1 ? undefined : parseIp(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  const prefix = Number(bits);
  // Number('') and Number('0x8') are numbers too.
  if (ip === undefined || bits.length > 3 || !isDigits(bits) || prefix > bitsOf(ip.family)) return undefined;
  return { family: ip.family, address: ip.value, prefix };
}

export const formatIp = (ip: Ip): string =>
  ip.family === 4 ? toBytes(ip).join('.') : ipaddr.fromByteArray([...toBytes(ip)]).toString();

export const formatCidr = (cidr: Cidr): string => `${formatIp({ family: cidr.family, value: cidr.address })}/${cidr.prefix}`;

/** The first address of the block: 10.0.0.0 of 10.0.0.7/24. */
export function networkOf(cidr: Cidr): bigint {
  const hostBits = BigInt(bitsOf(cidr.family) - cidr.prefix);
  return (cidr.address >> hostBits) << hostBits;
}

/** The last address of the block: 10.0.0.255 of 10.0.0.7/24. */
export const lastOf = (cidr: Cidr): bigint => networkOf(cidr) + (1n << BigInt(bitsOf(cidr.family) - cidr.prefix)) - 1n;

export const cidrContains = (cidr: Cidr, ip: Ip): boolean =>
  cidr.family === ip.family && ip.value >= networkOf(cidr) && ip.value <= lastOf(cidr);

export const cidrsOverlap = (a: Cidr, b: Cidr): boolean =>
  a.family === b.family && networkOf(a) <= lastOf(b) && networkOf(b) <= lastOf(a);

/** '10.1.2.0/24' of '10.1.2.7/24'. */
export const networkText = (cidr: Cidr): string => formatCidr({ ...cidr, address: networkOf(cidr) });

export function toBytes(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(bitsOf(ip.family) / 8);
  let rest = ip.value;
  for (let index = bytes.length - 1; index >= 0; index--) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

const fromBytes = (bytes: readonly number[]): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
