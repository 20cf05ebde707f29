import { NLA_F_NESTED } from './wire.ts';

const NOTHING = Buffer.alloc(0);
const POOLED_BYTES = 2048;

/**
 * A growing buffer of netlink messages and attributes, written in place: no object per attribute, because a cold start
 * writes 300,000 elements. `bytes` may move when it grows; never hold it across a write.
 */
export class MessageWriter {
  bytes: Buffer = NOTHING;
  length = 0;
  readonly #capacity: number;

  /** `capacity`: bytes of the first allocation, made when something is written: most transactions leave most of their writers empty. */
  constructor(capacity = 1024) {
    this.#capacity = capacity;
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const room = Math.max(needed, this.bytes.length * 2, this.#capacity);
    // A small one comes out of Node's pool: an ArrayBuffer of its own costs more than the writing.
    const grown = room <= POOLED_BYTES ? Buffer.allocUnsafe(room) : Buffer.allocUnsafeSlow(room);
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** nlmsghdr + nfgenmsg; the length is filled in by endMessage, the sequence number by whoever sends it. */
  beginMessage(type: number, flags: number, family: number, resId = 0): number {
    this.reserve(20);
    const start = this.length;
    const bytes = this.bytes;
    bytes.fill(0, start, start + 20);
    bytes[start + 4] = type & 0xff;
    bytes[start + 5] = type >>> 8;
    bytes[start + 6] = flags & 0xff;
    bytes[start + 7] = flags >>> 8;
    bytes[start + 16] = family;
    bytes[start + 18] = resId >>> 8;
    bytes[start + 19] = resId & 0xff;
    this.length = start + 20;
    return start;
  }

  endMessage(start: number): void {
    this.bytes.writeUInt32LE(this.length - start, start);
  }

  /** Opens a nested attribute; give what it returns to endNested. */
  beginNested(type: number): number {
    this.reserve(4);
    const start = this.length;
    this.bytes.writeUInt16LE(type | NLA_F_NESTED, start + 2);
    this.length = start + 4;
    return start;
  }

  endNested(start: number): void {
    this.bytes.writeUInt16LE(this.length - start, start);
  }

  string(type: number, value: string): void {
    const size = Buffer.byteLength(value) + 1;
    const start = this.#header(type, size);
    this.bytes.write(value, start, 'utf8');
    this.bytes[start + size - 1] = 0;
  }

  /** 32 bit, network byte order: what nf_tables and conntrack use for their numbers. */
  u32be(type: number, value: number): void {
    const start = this.#header(type, 4);
    this.bytes.writeUInt32BE(value >>> 0, start);
  }

  u64be(type: number, value: bigint): void {
    const start = this.#header(type, 8);
    this.bytes.writeBigUInt64BE(value, start);
  }

  u16be(type: number, value: number): void {
    const start = this.#header(type, 2);
    this.bytes.writeUInt16BE(value, start);
  }

  u8(type: number, value: number): void {
    const start = this.#header(type, 1);
    this.bytes[start] = value;
  }

  raw(type: number, value: Uint8Array): void {
    const start = this.#header(type, value.length);
    this.bytes.set(value, start);
  }

  /** Appends whole messages that another writer made. */
  append(other: MessageWriter): void {
    this.reserve(other.length);
    other.bytes.copy(this.bytes, this.length, 0, other.length);
    this.length += other.length;
  }

  /** Header of an attribute with `size` bytes of payload, zero-padded to 4; returns where the payload starts. */
  #header(type: number, size: number): number {
    const padded = (size + 3) & ~3;
    this.reserve(4 + padded);
    const start = this.length;
    const bytes = this.bytes;
    const total = size + 4;
    bytes[start] = total & 0xff;
    bytes[start + 1] = total >>> 8;
    bytes[start + 2] = type & 0xff;
    bytes[start + 3] = type >>> 8;
    for (let i = start + total; i < start + 4 + padded; i++) bytes[i] = 0;
    this.length = start + 4 + padded;
    return start + 4;
  }
}
