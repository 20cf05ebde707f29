// Addresses between their text and the kernel's bytes.
import { isIPv4, isIPv6 } from 'node:net';

function parseIpv6(text: string): Buffer {
  const bare = text.split('%', 1)[0] ?? text;
  // ::ffff:1.2.3.4 -> two groups
  const mapped = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a: string, b: string, c: string, d: string) =>
    `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`);
  const [head = '', tail] = mapped.split('::', 2);
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  const bytes = Buffer.alloc(16);
  all.forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}

/** '10.0.0.1' -> 4 bytes, 'fd00::1' -> 16 bytes, in network order. Throws on anything else. */
export function parseIp(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (isIPv6(text)) return parseIpv6(text);
  throw new TypeError(`'${text}' is not an IP address`);
}

/** The bytes as text; IPv6 in the canonical form of RFC 5952. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_unused, index) => view.getUint16(index * 2));
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return best.at === -1 ? text(groups) : `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

export interface Prefix {
  readonly address: Buffer;
  readonly length: number;
}

/** '10.0.0.0/24' -> address and prefix length; without '/': a host prefix. Host bits are kept: an address is written the same way. */
export function parsePrefix(text: string): Prefix {
  const [ip = '', length] = text.split('/', 2);
  const address = parseIp(ip);
  const bits = length === undefined ? address.length * 8 : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > address.length * 8 || length === '') throw new TypeError(`'${text}': the prefix length must lie between 0 and ${address.length * 8}`);
  return { address, length: bits };
}

/** 'aa:bb:cc:dd:ee:ff' -> 6 bytes. */
export function parseMac(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new TypeError(`'${text}' is not a MAC address (aa:bb:cc:dd:ee:ff)`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export const formatMac = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
