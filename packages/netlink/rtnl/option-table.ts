// Link options as tables: a name, its attribute number, its width. One table writes and reads.
import type { Attributes } from '../attributes.ts';
import { formatIp, parseIp } from '../ip-bytes.ts';
import type { NetlinkWriter } from '../writer.ts';

export type OptionKind = 'u8' | 'u16' | 'u32' | 'bool' | 'be16' | 'ip' | 'port-range';
export type OptionTable<T> = Readonly<Record<keyof T & string, readonly [attribute: number, kind: OptionKind]>>;
export type OptionValue = number | boolean | string | readonly [number, number];

function write(writer: NetlinkWriter, attribute: number, kind: OptionKind, value: OptionValue): void {
  switch (kind) {
    case 'bool': writer.u8(attribute, value === true ? 1 : 0); break;
    case 'u8': writer.u8(attribute, Number(value)); break;
    case 'u16': writer.u16(attribute, Number(value)); break;
    case 'u32': writer.u32(attribute, Number(value)); break;
    case 'be16': writer.be16(attribute, Number(value)); break;
    case 'ip': writer.attribute(attribute, parseIp(String(value))); break;
    case 'port-range': {
      const [low, high] = value as readonly [number, number];
      const bytes = Buffer.alloc(4);
      bytes.writeUInt16BE(low, 0);
      bytes.writeUInt16BE(high, 2);
      writer.attribute(attribute, bytes);
      break;
    }
  }
}

function read(attributes: Attributes, attribute: number, kind: OptionKind): OptionValue | undefined {
  switch (kind) {
    case 'bool': { const value = attributes.u8(attribute); return value === undefined ? undefined : value !== 0; }
    case 'u8': return attributes.u8(attribute);
    case 'u16': return attributes.u16(attribute);
    case 'u32': return attributes.u32(attribute);
    case 'be16': return attributes.be16(attribute);
    case 'ip': { const value = attributes.bytes(attribute); return value === undefined ? undefined : formatIp(value); }
    case 'port-range': { const value = attributes.bytes(attribute); return value === undefined ? undefined : [value.readUInt16BE(0), value.readUInt16BE(2)]; }
  }
}

export function writeOptions<T extends object>(writer: NetlinkWriter, table: OptionTable<T>, options: T): void {
  for (const [name, value] of Object.entries(options) as [keyof T & string, OptionValue | undefined][]) {
    if (value === undefined) continue;
    const [attribute, kind] = table[name];
    write(writer, attribute, kind, value);
  }
}

/** The options that the kernel reported; those it left out are absent. */
export function readOptions<T extends object>(table: OptionTable<T>, attributes: Attributes): Partial<T> {
  const rows: readonly (readonly [string, readonly [number, OptionKind]])[] = Object.entries(table);
  const pairs = rows.map(([name, [attribute, kind]]) => [name, read(attributes, attribute, kind)] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) as Partial<T>;
}
