import { eachAttribute, nested, parseAttributes, text, u32, u64 } from './attributes.ts';
import type { Attributes } from './attributes.ts';
import { NftError } from './errors.ts';
import { readValue, showValue, showVerdict, writeValue } from './schema.ts';
import type { ElementValue, SetSchema, Verdict } from './schema.ts';
import { ELEM_INTERVAL_END, NLA_F_NESTED, VERDICT, verdictName } from './wire.ts';
import type { MessageWriter } from './writer.ts';

const KEY = 1, DATA = 2, FLAGS = 3, TIMEOUT = 4, EXPIRATION = 5, USERDATA = 6, EXPR = 7, KEY_END = 10, EXPRESSIONS = 11; // NFTA_SET_ELEM_*
const DATA_VALUE = 1, DATA_VERDICT = 2; // NFTA_DATA_*
const VERDICT_CODE = 1, VERDICT_CHAIN = 2; // NFTA_VERDICT_*
const LIST_ELEM = 1;

export interface ElementOptions {
  /** The element goes by itself after this time; only in sets with `flags timeout`. */
  readonly timeoutMs?: number;
  /** Rest of the life time, to put back an element that was read. */
  readonly expiresMs?: number;
  /** This key closes the interval that the previous one opened (single-field interval sets); exclusive. */
  readonly intervalEnd?: boolean;
  /** The last key of the range (interval sets with concatenated keys); inclusive. */
  readonly keyEnd?: ElementValue;
  /** `comment "TEXT"`: shown by `nft list`, at most 126 bytes. */
  readonly comment?: string;
}

export interface ElementCounter {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** One element as read from the kernel. */
export interface Element {
  readonly key: readonly (number | string)[];
  readonly keyEnd?: readonly (number | string)[];
  readonly data?: readonly (number | string)[];
  readonly verdict?: Verdict;
  readonly intervalEnd?: boolean;
  readonly counter?: ElementCounter;
  readonly timeoutMs?: number;
  readonly expiresMs?: number;
  readonly comment?: string;
}

/** Appends one NFTA_LIST_ELEM. The hot path: everything is written by hand into the open buffer. */
export function writeElement(writer: MessageWriter, set: SetSchema, key: ElementValue, data: ElementValue | Verdict | undefined, options: ElementOptions | undefined): void {
  const start = writer.length;
  try {
    const element = writer.beginNested(LIST_ELEM);
    writeData(writer, KEY, set.key.length, (bytes, at) => writeValue(set.key, bytes, at, key));
    if (options?.keyEnd !== undefined) {
      const end = options.keyEnd;
      writeData(writer, KEY_END, set.key.length, (bytes, at) => writeValue(set.key, bytes, at, end));
    }
    if (data !== undefined) {
      if (set.data === undefined) throw new NftError(`element of ${set.name}`, 'EUSAGE', 'a set has no data: this one was not defined as a map');
      if (set.data === 'verdict') writeVerdict(writer, data as Verdict);
      else {
        const target = set.data;
        writeData(writer, DATA, target.length, (bytes, at) => writeValue(target, bytes, at, data as ElementValue));
      }
    }
    if (options?.intervalEnd === true) writer.u32be(FLAGS, ELEM_INTERVAL_END);
    if (options?.timeoutMs !== undefined) writer.u64be(TIMEOUT, BigInt(options.timeoutMs));
    if (options?.expiresMs !== undefined) writer.u64be(EXPIRATION, BigInt(options.expiresMs));
    if (options?.comment !== undefined) writer.raw(USERDATA, commentUserdata(options.comment));
    writer.endNested(element);
  } catch (cause) {
    writer.length = start; // an unusable value leaves the transaction as it was
    if (cause instanceof NftError) throw new NftError(`element of ${set.table.family} ${set.table.name} ${set.name}: ${cause.operation}`, cause.code, cause.kernelText, { cause });
    throw cause;
  }
}

/** attr { NFTA_DATA_VALUE { value } }: two headers at once. */
function writeData(writer: MessageWriter, type: number, length: number, write: (bytes: Buffer, at: number) => void): void {
  const padded = (length + 3) & ~3;
  writer.reserve(8 + padded);
  const bytes = writer.bytes;
  const at = writer.length;
  const outer = padded + 8;
  const inner = length + 4;
  bytes[at] = outer & 0xff;
  bytes[at + 1] = outer >>> 8;
  bytes[at + 2] = type;
  bytes[at + 3] = NLA_F_NESTED >>> 8;
  bytes[at + 4] = inner & 0xff;
  bytes[at + 5] = inner >>> 8;
  bytes[at + 6] = DATA_VALUE;
  bytes[at + 7] = 0;
  for (let i = at + 8 + length; i < at + outer; i++) bytes[i] = 0;
  write(bytes, at + 8);
  writer.length = at + outer;
}

/** nft's userdata: type 0 (comment), length, text with its closing zero. */
function commentUserdata(comment: string): Buffer {
  const text = Buffer.from(`${comment}\0`);
  if (text.length > 127) throw new NftError(`comment "${comment}"`, 'EUSAGE', 'a comment has at most 126 bytes');
  return Buffer.concat([Buffer.of(0, text.length), text]);
}

function writeVerdict(writer: MessageWriter, verdict: Verdict): void {
  const outer = writer.beginNested(DATA);
  writeVerdictData(writer, verdict);
  writer.endNested(outer);
}

/** NFTA_DATA_VERDICT { code, chain }: also the data of an `immediate` expression. */
export function writeVerdictData(writer: MessageWriter, verdict: Verdict): void {
  if ((verdict.verdict === 'jump' || verdict.verdict === 'goto') !== (verdict.chain !== undefined)) {
    throw new NftError(`verdict ${showVerdict(verdict)}`, 'EUSAGE', 'jump and goto name a chain, other verdicts do not');
  }
  const inner = writer.beginNested(DATA_VERDICT);
  writer.u32be(VERDICT_CODE, VERDICT[verdict.verdict]);
  if (verdict.chain !== undefined) writer.string(VERDICT_CHAIN, verdict.chain);
  writer.endNested(inner);
}

export function parseVerdict(data: Attributes): Verdict | undefined {
  if (!data.has(DATA_VERDICT)) return undefined;
  const verdict = nested(data, DATA_VERDICT);
  const name = verdictName((u32(verdict, VERDICT_CODE) ?? 0) | 0);
  if (name === 'unknown') return undefined;
  const chain = text(verdict, VERDICT_CHAIN);
  return chain === '' ? { verdict: name } : { verdict: name, chain };
}

/** An element in its encoded form, and what is asked of it. Views into the received message: copy what must last. */
export class ElementView {
  readonly set: SetSchema;
  readonly #attributes: Attributes;

  constructor(set: SetSchema, encoded: Buffer) {
    this.set = set;
    this.#attributes = parseAttributes(encoded);
  }

  get rawKey(): Buffer { return this.#value(KEY); }
  get rawKeyEnd(): Buffer | undefined { return this.#attributes.has(KEY_END) ? this.#value(KEY_END) : undefined; }
  /** Empty for a set and for a verdict. */
  get rawData(): Buffer { return this.#attributes.has(DATA) ? this.#value(DATA) : Buffer.alloc(0); }
  get verdict(): Verdict | undefined { return parseVerdict(nested(this.#attributes, DATA)); }
  get intervalEnd(): boolean { return ((u32(this.#attributes, FLAGS) ?? 0) & ELEM_INTERVAL_END) !== 0; }

  #value(type: number): Buffer {
    return nested(this.#attributes, type).get(DATA_VALUE) ?? Buffer.alloc(0);
  }

  get counter(): ElementCounter | undefined {
    const single = this.#attributes.get(EXPR);
    const list = this.#attributes.get(EXPRESSIONS);
    const expressions = single === undefined ? [...(list === undefined ? [] : eachAttribute(list))].map(({ value }) => value) : [single];
    for (const expression of expressions) {
      const attributes = parseAttributes(expression);
      if (text(attributes, 1) !== 'counter') continue;
      const counter = nested(attributes, 2); // NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS
      return { bytes: u64(counter, 1) ?? 0n, packets: u64(counter, 2) ?? 0n };
    }
    return undefined;
  }

  get comment(): string | undefined {
    const userdata = this.#attributes.get(USERDATA);
    if (userdata === undefined || userdata.length < 3 || userdata[0] !== 0) return undefined;
    return userdata.toString('utf8', 2, 1 + (userdata[1] ?? 0));
  }

  get timeoutMs(): number | undefined { return milliseconds(u64(this.#attributes, TIMEOUT)); }
  get expiresMs(): number | undefined { return milliseconds(u64(this.#attributes, EXPIRATION)); }

  /** Everything decoded, for keeping. */
  decode(): Element {
    const { set, verdict, counter, timeoutMs, expiresMs, rawKeyEnd, comment } = this;
    return {
      key: readValue(set.key, this.rawKey),
      ...(rawKeyEnd === undefined ? {} : { keyEnd: readValue(set.key, rawKeyEnd) }),
      ...(set.data === undefined || set.data === 'verdict' || this.rawData.length === 0 ? {} : { data: readValue(set.data, this.rawData) }),
      ...(verdict === undefined ? {} : { verdict }),
      ...(this.intervalEnd ? { intervalEnd: true } : {}),
      ...(counter === undefined ? {} : { counter }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(expiresMs === undefined ? {} : { expiresMs }),
      ...(comment === undefined ? {} : { comment }),
    };
  }

  /** `10.96.0.10 . tcp . 80 : 0x80000001` */
  toString(): string {
    const { set, verdict } = this;
    const data = verdict !== undefined ? ` : ${showVerdict(verdict)}`
      : set.data === undefined || set.data === 'verdict' || this.rawData.length < set.data.length ? '' : ` : ${showValue(set.data, this.rawData)}`;
    const key = this.rawKey.length < set.key.length ? '(no key)' : showValue(set.key, this.rawKey);
    return `${key}${this.intervalEnd ? ' (end)' : ''}${data}`;
  }
}

function milliseconds(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
