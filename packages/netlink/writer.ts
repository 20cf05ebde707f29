// Netlink messages and attributes: writing, into one growing buffer, so that a batch of thousands of elements costs one allocation.
import { NLMSG_HEADER, align4 } from './message.ts';

const NLA_F_NESTED = 0x8000;
const NLA_HEADER = 4;
const NLA_MAX = 0xffff;

/**
 * Appends netlink messages and attributes. `begin`/`end` pairs nest; an attribute longer than 64 KiB (its length field has 16 bits,
 * and the kernel would read a wrapped length as garbage) is refused in `end`.
 */
export class NetlinkWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 512) {
    this.#buffer = Buffer.alloc(capacity);
  }

  /** Bytes written so far. */
  get length(): number { return this.#length; }

  /** What was written. A view: copy it if the writer goes on. */
  bytes(): Buffer { return this.#buffer.subarray(0, this.#length); }

  /** Forgets what was written and keeps the memory. */
  reset(): this {
    this.#buffer.fill(0, 0, this.#length);
    this.#length = 0;
    return this;
  }

  /** Starts a message; pass the result to `endMessage`. */
  beginMessage(type: number, flags: number, seq: number): number {
    const at = this.#reserve(NLMSG_HEADER);
    this.#buffer.writeUInt16LE(type, at + 4);
    this.#buffer.writeUInt16LE(flags, at + 6);
    this.#buffer.writeUInt32LE(seq, at + 8);
    return at;
  }

  endMessage(mark: number): this {
    this.#buffer.writeUInt32LE(this.#length - mark, mark);
    this.#pad();
    return this;
  }

  /** Starts an attribute that holds others; pass the result to `end`. */
  begin(type: number): number {
    const at = this.#reserve(NLA_HEADER);
    this.#buffer.writeUInt16LE(type | NLA_F_NESTED, at + 2);
    return at;
  }

  end(mark: number): this {
    const length = this.#length - mark;
    if (length > NLA_MAX) throw new RangeError(`netlink attribute of ${length} bytes: one attribute holds at most ${NLA_MAX}; split the list`);
    this.#buffer.writeUInt16LE(length, mark);
    this.#pad();
    return this;
  }

  nested(type: number, body: (writer: this) => void): this {
    const mark = this.begin(type);
    body(this);
    return this.end(mark);
  }

  flag(type: number): this { this.#attribute(type, 0); return this; }
  u8(type: number, value: number): this { const at = this.#attribute(type, 1); this.#buffer.writeUInt8(value, at); return this; }
  u16(type: number, value: number): this { const at = this.#attribute(type, 2); this.#buffer.writeUInt16LE(value, at); return this; }
  u32(type: number, value: number): this { const at = this.#attribute(type, 4); this.#buffer.writeUInt32LE(value, at); return this; }
  i32(type: number, value: number): this { const at = this.#attribute(type, 4); this.#buffer.writeInt32LE(value, at); return this; }
  u64(type: number, value: bigint): this { const at = this.#attribute(type, 8); this.#buffer.writeBigUInt64LE(value, at); return this; }
  be16(type: number, value: number): this { const at = this.#attribute(type, 2); this.#buffer.writeUInt16BE(value, at); return this; }
  be32(type: number, value: number): this { const at = this.#attribute(type, 4); this.#buffer.writeUInt32BE(value, at); return this; }
  be64(type: number, value: bigint): this { const at = this.#attribute(type, 8); this.#buffer.writeBigUInt64BE(value, at); return this; }

  /** A string with its terminating zero, as the kernel wants names. */
  string(type: number, value: string): this {
    const length = Buffer.byteLength(value);
    const at = this.#attribute(type, length + 1);
    this.#buffer.write(value, at);
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** Raw bytes, padded to 4: family headers (`struct ifinfomsg`), or a message made elsewhere. */
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(align4(bytes.length));
    this.#buffer.set(bytes, at);
    return this;
  }

  #attribute(type: number, length: number): number {
    if (length + NLA_HEADER > NLA_MAX) throw new RangeError(`netlink attribute of ${length + NLA_HEADER} bytes: one attribute holds at most ${NLA_MAX}; split the list`);
    const at = this.#reserve(align4(NLA_HEADER + length));
    this.#buffer.writeUInt16LE(NLA_HEADER + length, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    return at + NLA_HEADER;
  }

  #pad(): void { this.#reserve(align4(this.#length) - this.#length); }

  #reserve(bytes: number): number {
    const at = this.#length;
    const end = at + bytes;
    if (end > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = end;
    return at;
  }
}
