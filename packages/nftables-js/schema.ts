import { NftError } from './errors.ts';
import { FIELDS } from './fields.ts';
import type { FieldType, FieldValue } from './fields.ts';
import type { Family, VerdictName } from './wire.ts';

/** A table by its family and name. */
export interface TableRef {
  readonly family: Family;
  readonly name: string;
}

/** Where each field of a concatenation lies: every field is padded to 4 bytes, a single field is not. */
export interface Layout {
  readonly fields: readonly FieldType[];
  readonly offsets: readonly number[];
  readonly length: number;
}

/** A named set (no data) or map of a table: what is needed to encode its elements. Made by defineSet and defineMap. */
export interface SetSchema {
  readonly table: TableRef;
  readonly name: string;
  readonly key: Layout;
  /** Undefined: a set. 'verdict': a verdict map. */
  readonly data: Layout | 'verdict' | undefined;
  /** The set has `flags interval`. */
  readonly interval: boolean;
}

/** A field's value, or the values of a concatenation in order. */
export type ElementValue = FieldValue | readonly FieldValue[];

export interface Verdict {
  readonly verdict: VerdictName;
  /** For jump and goto. */
  readonly chain?: string;
}

export function layout(fields: readonly FieldType[]): Layout {
  if (fields.length === 0 || fields.length > 16) throw new NftError(`concatenation of ${fields.length} fields`, 'EUSAGE', 'a key or value has 1 to 16 fields');
  const [only] = fields;
  if (fields.length === 1 && only !== undefined) return { fields, offsets: [0], length: FIELDS[only].size };
  const offsets: number[] = [];
  let length = 0;
  for (const field of fields) {
    offsets.push(length);
    length += (FIELDS[field].size + 3) & ~3;
  }
  return { fields, offsets, length };
}

/** `set NAME { type A . B; }`, for example `defineSet(table, 'hairpin', ['ipv4_addr', 'ipv4_addr'])`. */
export function defineSet(table: TableRef, name: string, key: readonly FieldType[], options: { interval?: boolean } = {}): SetSchema {
  return { table, name, key: layout(key), data: undefined, interval: options.interval ?? false };
}

/** `map NAME { type A . B : C; }`, for example `defineMap(table, 'slot', ['mark', 'mark'], ['mark'])`. */
export function defineMap(table: TableRef, name: string, key: readonly FieldType[], data: readonly FieldType[] | 'verdict', options: { interval?: boolean } = {}): SetSchema {
  return { table, name, key: layout(key), data: data === 'verdict' ? data : layout(data), interval: options.interval ?? false };
}

/** Writes a key or value at `at`; throws NftError EUSAGE for a value that does not fit. */
export function writeValue(target: Layout, bytes: Buffer, at: number, value: ElementValue): void {
  const { fields, offsets, length } = target;
  if (fields.length === 1) {
    const single = Array.isArray(value) ? (value as readonly FieldValue[])[0] : (value as FieldValue);
    const [field] = fields;
    if (field === undefined || single === undefined || (Array.isArray(value) && value.length !== 1)) throw fieldCount(fields, value);
    FIELDS[field].write(bytes, at, single);
    return;
  }
  if (!Array.isArray(value) || value.length !== fields.length) throw fieldCount(fields, value);
  for (let i = at; i < at + length; i++) bytes[i] = 0;
  const parts = value as readonly FieldValue[];
  for (let i = 0; i < parts.length; i++) {
    const field = fields[i];
    const part = parts[i];
    if (field === undefined || part === undefined) throw fieldCount(fields, value);
    FIELDS[field].write(bytes, at + (offsets[i] ?? 0), part);
  }
}

function fieldCount(fields: readonly FieldType[], value: ElementValue): NftError {
  const given = Array.isArray(value) ? (value as readonly FieldValue[]).map(String).join(' . ') : String(value);
  return new NftError(`value { ${given} }`, 'EUSAGE', `the fields are ${fields.join(' . ')}`);
}

/** The fields of an encoded key or value. */
export function readValue(source: Layout, bytes: Buffer): readonly (number | string)[] {
  return source.fields.map((field, i) => FIELDS[field].read(bytes, source.offsets[i] ?? 0));
}

/** As `nft list` writes it: `10.96.0.10 . tcp . 80`. */
export function showValue(source: Layout, bytes: Buffer): string {
  return source.fields.map((field, i) => FIELDS[field].show(FIELDS[field].read(bytes, source.offsets[i] ?? 0))).join(' . ');
}

export function showVerdict(verdict: Verdict): string {
  return verdict.chain === undefined ? verdict.verdict : `${verdict.verdict} ${verdict.chain}`;
}
