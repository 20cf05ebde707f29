import { unusable } from './errors.ts';

/**
 * Types that a key or a value is made of. `mark` is 32 bit in host byte order and stands for every host-order number:
 * `mark`, `ct mark`, `numgen`, `ifindex`. The others are in network byte order.
 */
export type FieldType = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'mark' | 'ether_addr' | 'ifname';

/** Addresses: text, or bytes; IPv4 also as the 32 bit number (10.0.0.1 is 0x0a000001). Protocols: number or name. */
export type FieldValue = number | string | Uint8Array;

interface Field {
  readonly size: number;
  /** The kernel's datatype number in NFTA_SET_KEY_TYPE (nft's enum datatypes): what `nft list` prints the set by. */
  readonly datatype: number;
  write(bytes: Buffer, at: number, value: FieldValue): void;
  read(bytes: Buffer, at: number): number | string;
  show(value: number | string): string;
}

export const PROTOCOLS = { icmp: 1, igmp: 2, tcp: 6, udp: 17, gre: 47, esp: 50, ah: 51, 'ipv6-icmp': 58, sctp: 132 } as const;
const PROTOCOL_NUMBERS = new Map<string, number>(Object.entries(PROTOCOLS));
const PROTOCOL_NAMES = new Map<number, string>(Object.entries(PROTOCOLS).map(([name, number]) => [number, name]));

function number(value: FieldValue, max: number, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw unusable(what, value, `a whole number from 0 to ${max}`);
}

/** Four bytes of dotted decimal; throws EUSAGE on anything else, also on leading zeros that other parsers take for octal. */
export function writeIPv4(bytes: Buffer, at: number, value: string): void {
  let octet = -1;
  let count = 0;
  for (let i = 0; i <= value.length; i++) {
    const code = i === value.length ? 46 : value.charCodeAt(i);
    if (code === 46) {
      if (octet < 0 || octet > 255 || count > 3) throw unusable('ipv4_addr', value, 'an IPv4 address');
      bytes[at + count++] = octet;
      octet = -1;
    } else if (code >= 48 && code <= 57 && octet !== 0) {
      octet = octet < 0 ? code - 48 : octet * 10 + code - 48;
    } else throw unusable('ipv4_addr', value, 'an IPv4 address');
  }
  if (count !== 4) throw unusable('ipv4_addr', value, 'an IPv4 address');
}

/** Sixteen bytes of RFC 4291 text, embedded IPv4 included. */
export function writeIPv6(bytes: Buffer, at: number, value: string): void {
  const bad = (): Error => unusable('ipv6_addr', value, 'an IPv6 address');
  let text = value;
  const lastColon = value.lastIndexOf(':');
  if (value.includes('.')) {
    const quad = Buffer.alloc(4);
    writeIPv4(quad, 0, value.slice(lastColon + 1));
    text = `${value.slice(0, lastColon + 1)}${quad.readUInt16BE(0).toString(16)}:${quad.readUInt16BE(2).toString(16)}`;
  }
  const halves = text.split('::');
  if (halves.length > 2) throw bad();
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) throw bad();
  const all = [...head, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => '0'), ...tail];
  all.forEach((group, i) => {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) throw bad();
    bytes.writeUInt16BE(Number.parseInt(group, 16), at + i * 2);
  });
}

/** RFC 5952: lower case, the longest run of zero groups (two or more, first of equals) as `::`. */
export function readIPv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + i * 2));
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    if (end > i) i = end;
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return best.start < 0 ? hex(groups) : `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

export function readIPv4(bytes: Buffer, at: number): string {
  return `${bytes[at] ?? 0}.${bytes[at + 1] ?? 0}.${bytes[at + 2] ?? 0}.${bytes[at + 3] ?? 0}`;
}

function copyExact(bytes: Buffer, at: number, value: Uint8Array, size: number, what: string): void {
  if (value.length !== size) throw unusable(what, [...value], `${size} bytes`);
  bytes.set(value, at);
}

function address(size: 4 | 16, what: string, write: (bytes: Buffer, at: number, value: string) => void): Field['write'] {
  return (bytes, at, value) => {
    if (typeof value === 'string') write(bytes, at, value);
    else if (typeof value === 'number') {
      if (size !== 4) throw unusable(what, value, 'an IPv6 address');
      bytes.writeUInt32BE(number(value, 0xffffffff, what), at);
    } else copyExact(bytes, at, value, size, what);
  };
}

export const FIELDS: Readonly<Record<FieldType, Field>> = {
  ipv4_addr: { size: 4, datatype: 7, write: address(4, 'ipv4_addr', writeIPv4), read: readIPv4, show: String },
  ipv6_addr: { size: 16, datatype: 8, write: address(16, 'ipv6_addr', writeIPv6), read: readIPv6, show: String },
  ether_addr: {
    size: 6, datatype: 9, show: String,
    write(bytes, at, value) {
      if (value instanceof Uint8Array) { copyExact(bytes, at, value, 6, 'ether_addr'); return; }
      if (typeof value !== 'string' || !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) throw unusable('ether_addr', value, 'a MAC address');
      value.split(':').forEach((octet, i) => { bytes[at + i] = Number.parseInt(octet, 16); });
    },
    read: (bytes, at) => [...bytes.subarray(at, at + 6)].map((octet) => octet.toString(16).padStart(2, '0')).join(':'),
  },
  inet_proto: {
    size: 1, datatype: 12,
    write(bytes, at, value) {
      const known = typeof value === 'string' ? PROTOCOL_NUMBERS.get(value) : number(value, 255, 'inet_proto');
      if (known === undefined) throw unusable('inet_proto', value, `a protocol; known by name are ${[...PROTOCOL_NUMBERS.keys()].join(', ')}`);
      bytes[at] = known;
    },
    read: (bytes, at) => PROTOCOL_NAMES.get(bytes[at] ?? 0) ?? bytes[at] ?? 0,
    show: String,
  },
  inet_service: {
    size: 2, datatype: 13,
    write(bytes, at, value) {
      const port = number(value, 65535, 'inet_service');
      bytes[at] = port >>> 8;
      bytes[at + 1] = port & 0xff;
    },
    read: (bytes, at) => bytes.readUInt16BE(at),
    show: String,
  },
  mark: {
    size: 4, datatype: 19,
    write(bytes, at, value) {
      const n = number(value, 0xffffffff, 'mark');
      bytes[at] = n & 0xff;
      bytes[at + 1] = (n >>> 8) & 0xff;
      bytes[at + 2] = (n >>> 16) & 0xff;
      bytes[at + 3] = n >>> 24;
    },
    read: (bytes, at) => bytes.readUInt32LE(at),
    show: (value) => `0x${Number(value).toString(16).padStart(8, '0')}`,
  },
  ifname: {
    size: 16, datatype: 41, show: (value) => `"${value}"`,
    write(bytes, at, value) {
      if (typeof value !== 'string' || value.length === 0 || Buffer.byteLength(value) > 15) throw unusable('ifname', value, 'an interface name of 1 to 15 bytes');
      bytes.fill(0, at, at + 16);
      bytes.write(value, at);
    },
    read(bytes, at) {
      const name = bytes.toString('utf8', at, at + 16);
      const end = name.indexOf('\0');
      return end < 0 ? name : name.slice(0, end);
    },
  },
};
const HOST_ORDER_INTEGER = 4; // nft's TYPE_INTEGER: numgen, jhash and the like

const BY_DATATYPE = new Map<number, FieldType>([
  ...(Object.entries(FIELDS) as [FieldType, Field][]).map(([name, field]): [number, FieldType] => [field.datatype, name]),
  [HOST_ORDER_INTEGER, 'mark'],
]);

/** nft packs the types of a concatenation into one number, 6 bits each, last field lowest. */
export function packDatatypes(fields: readonly FieldType[]): number {
  return fields.reduce((packed, field) => (packed << 6) | FIELDS[field].datatype, 0) >>> 0;
}

/** Undefined when a field is of a type that this library does not know. */
export function unpackDatatypes(packed: number): readonly FieldType[] | undefined {
  const fields: FieldType[] = [];
  for (let rest = packed; rest > 0; rest = rest >>> 6) {
    const field = BY_DATATYPE.get(rest & 0x3f);
    if (field === undefined) return undefined;
    fields.unshift(field);
  }
  return fields;
}
