// Netlink attributes (struct nlattr): reading. Values keep the kernel's widths; a wrong width is an error, not a guess.

const NLA_TYPE_MASK = 0x3fff;
const NLA_HEADER = 4;

/** Every attribute in order, also repeated ones. Views into `bytes`. */
export function* eachAttribute(bytes: Buffer): Generator<{ readonly type: number; readonly value: Buffer }> {
  for (let at = 0; at + NLA_HEADER <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < NLA_HEADER || at + length > bytes.length) throw new RangeError(`netlink attribute at byte ${at} says it is ${length} bytes long; ${bytes.length - at} are there`);
    yield { type: bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, value: bytes.subarray(at + NLA_HEADER, at + length) };
    at += (length + 3) & ~3;
  }
}

/** Attributes by type. Of a repeated type the last one counts; use `eachAttribute` for lists. */
export class Attributes {
  readonly #values = new Map<number, Buffer>();

  constructor(bytes: Buffer) {
    for (const { type, value } of eachAttribute(bytes)) this.#values.set(type, value);
  }

  has(type: number): boolean { return this.#values.has(type); }
  types(): IterableIterator<number> { return this.#values.keys(); }
  bytes(type: number): Buffer | undefined { return this.#values.get(type); }
  u8(type: number): number | undefined { return this.#values.get(type)?.readUInt8(0); }
  u16(type: number): number | undefined { return this.#values.get(type)?.readUInt16LE(0); }
  u32(type: number): number | undefined { return this.#values.get(type)?.readUInt32LE(0); }
  i32(type: number): number | undefined { return this.#values.get(type)?.readInt32LE(0); }
  u64(type: number): bigint | undefined { return this.#values.get(type)?.readBigUInt64LE(0); }
  be16(type: number): number | undefined { return this.#values.get(type)?.readUInt16BE(0); }
  be32(type: number): number | undefined { return this.#values.get(type)?.readUInt32BE(0); }
  be64(type: number): bigint | undefined { return this.#values.get(type)?.readBigUInt64BE(0); }

  string(type: number): string | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return value.toString('utf8', 0, end === -1 ? value.length : end);
  }

  nested(type: number): Attributes | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : new Attributes(value);
  }
}
