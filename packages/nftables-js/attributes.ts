import { NLA_TYPE_MASK } from './wire.ts';

/** Attributes of one level by their type; a repeated type keeps the last. Values are views, not copies. */
export type Attributes = ReadonlyMap<number, Buffer>;

/** Walks the nlattrs of `bytes` from `start`; stops quietly at a malformed tail, as libmnl does. */
export function* eachAttribute(bytes: Buffer, start = 0, end = bytes.length): Generator<{ type: number; value: Buffer; offset: number }> {
  let offset = start;
  while (offset + 4 <= end) {
    const length = bytes.readUInt16LE(offset);
    if (length < 4 || offset + length > end) return;
    yield { type: bytes.readUInt16LE(offset + 2) & NLA_TYPE_MASK, value: bytes.subarray(offset + 4, offset + length), offset };
    offset += (length + 3) & ~3;
  }
}

export function parseAttributes(bytes: Buffer, start = 0): Attributes {
  const attributes = new Map<number, Buffer>();
  for (const { type, value } of eachAttribute(bytes, start)) attributes.set(type, value);
  return attributes;
}

const NONE = Buffer.alloc(0);
export function nested(attributes: Attributes, type: number): Attributes {
  return parseAttributes(attributes.get(type) ?? NONE);
}

export function text(attributes: Attributes, type: number): string {
  const value = attributes.get(type);
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

export function u32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? value.readUInt32BE(0) : undefined;
}

export function u16(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 2 ? value.readUInt16BE(0) : undefined;
}

export function u8(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.[0];
}

export function u64(attributes: Attributes, type: number): bigint | undefined {
  const value = attributes.get(type);
  return value?.length === 8 ? value.readBigUInt64BE(0) : undefined;
}
