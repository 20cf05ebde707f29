import { eachAttribute, nested, parseAttributes, text, u32, u64 } from './attributes.ts';
import { unpackDatatypes } from './fields.ts';
import { defineMap, defineSet } from './schema.ts';
import type { SetSchema, TableRef } from './schema.ts';
import { SET_FLAG, familyName } from './wire.ts';
import type { Family } from './wire.ts';

export interface TableInfo extends TableRef {
  readonly handle: bigint;
  readonly comment?: string;
}

export interface ChainInfo {
  readonly table: TableRef;
  readonly name: string;
  readonly handle: bigint;
  /** Only base chains have a hook. */
  readonly hook?: { readonly number: number; readonly priority: number; readonly type: string; readonly policy: 'accept' | 'drop' };
}

export interface SetInfo {
  readonly table: TableRef;
  readonly name: string;
  readonly handle: bigint;
  readonly isMap: boolean;
  /** Sets that nft makes by itself for `{ a, b }` inside a rule. */
  readonly isAnonymous: boolean;
  readonly flags: readonly (keyof typeof SET_FLAG)[];
  readonly timeoutMs?: number;
  readonly size?: number;
  /** To read or write its elements; undefined when a field is of a type that this library does not know. */
  readonly schema: SetSchema | undefined;
}

export interface RuleInfo {
  readonly table: TableRef;
  readonly chain: string;
  readonly handle: bigint;
  /** The expressions' names in order: `ct`, `numgen`, `lookup`, ... */
  readonly expressions: readonly string[];
  /** The names of sets, maps and chains that it uses. */
  readonly references: readonly string[];
  readonly comment?: string;
}

/** What a table, or all of them, consists of; elements are read per set. */
export interface Listing {
  readonly tables: readonly TableInfo[];
  readonly chains: readonly ChainInfo[];
  readonly sets: readonly SetInfo[];
  readonly rules: readonly RuleInfo[];
}

/** The payload of an nfnetlink message: nfgenmsg, then attributes. */
function family(payload: Buffer): Family {
  const name = familyName(payload[0] ?? 0);
  return name === 'unspec' ? 'inet' : name;
}

export function parseTable(payload: Buffer): TableInfo {
  const attributes = parseAttributes(payload, 4);
  const comment = commentOf(attributes.get(6));
  return { family: family(payload), name: text(attributes, 1), handle: u64(attributes, 4) ?? 0n, ...(comment === undefined ? {} : { comment }) };
}

export function parseChain(payload: Buffer): ChainInfo {
  const attributes = parseAttributes(payload, 4);
  const chain = { table: { family: family(payload), name: text(attributes, 1) }, name: text(attributes, 3), handle: u64(attributes, 2) ?? 0n };
  if (!attributes.has(4)) return chain;
  const hook = nested(attributes, 4);
  const priority = (u32(hook, 2) ?? 0) | 0;
  return { ...chain, hook: { number: u32(hook, 1) ?? 0, priority, type: text(attributes, 7), policy: u32(attributes, 5) === 0 ? 'drop' : 'accept' } };
}

const VERDICT_DATATYPE = 0xffffff00;

export function parseSet(payload: Buffer): SetInfo {
  const attributes = parseAttributes(payload, 4);
  const table = { family: family(payload), name: text(attributes, 1) };
  const name = text(attributes, 2);
  const flagBits = u32(attributes, 3) ?? 0;
  const flags = (Object.keys(SET_FLAG) as (keyof typeof SET_FLAG)[]).filter((flag) => (flagBits & SET_FLAG[flag]) !== 0);
  const isMap = flags.includes('map');
  const size = u32(nested(attributes, 9), 1);
  const timeout = u64(attributes, 11);
  return {
    table, name, handle: u64(attributes, 16) ?? 0n, isMap, isAnonymous: flags.includes('anonymous'), flags,
    ...(timeout === undefined ? {} : { timeoutMs: Number(timeout) }),
    ...(size === undefined ? {} : { size }),
    schema: schemaOf(table, name, isMap, flags.includes('interval'), attributes),
  };
}

function schemaOf(table: TableRef, name: string, isMap: boolean, interval: boolean, attributes: ReadonlyMap<number, Buffer>): SetSchema | undefined {
  const key = unpackDatatypes(u32(attributes, 4) ?? 0);
  if (key === undefined || key.length === 0) return undefined;
  let schema: SetSchema | undefined;
  if (!isMap) schema = defineSet(table, name, key, { interval });
  else {
    const type = u32(attributes, 6) ?? 0;
    const data = type === VERDICT_DATATYPE ? 'verdict' : unpackDatatypes(type);
    if (data === undefined || data.length === 0) return undefined;
    schema = defineMap(table, name, key, data, { interval });
    if (schema.data !== 'verdict' && schema.data?.length !== u32(attributes, 7)) return undefined;
  }
  return schema.key.length === u32(attributes, 5) ? schema : undefined; // typeof keys may have fields of other widths
}

const COMMENT = 0; // libnftnl's NFTNL_UDATA_RULE_COMMENT and NFTNL_UDATA_TABLE_COMMENT: one byte type, one byte length, then text and a zero

function commentOf(userdata: Buffer | undefined): string | undefined {
  return userdata?.[0] === COMMENT ? userdata.toString('utf8', 2, 1 + (userdata[1] ?? 1)) : undefined;
}

export function parseRule(payload: Buffer): RuleInfo {
  const attributes = parseAttributes(payload, 4);
  const expressions: string[] = [];
  const references = new Set<string>();
  for (const { value } of eachAttribute(attributes.get(4) ?? Buffer.alloc(0))) {
    const expression = parseAttributes(value);
    const name = text(expression, 1);
    expressions.push(name);
    const data = nested(expression, 2);
    if (name === 'lookup' || name === 'dynset') references.add(text(data, 1));
    if (name === 'immediate') {
      const target = text(nested(nested(data, 2), 2), 2);
      if (target !== '') references.add(target);
    }
  }
  const comment = commentOf(attributes.get(7));
  return {
    table: { family: family(payload), name: text(attributes, 1) }, chain: text(attributes, 2), handle: u64(attributes, 3) ?? 0n,
    expressions, references: [...references], ...(comment === undefined ? {} : { comment }),
  };
}

