import { cidrRange } from '../range.ts';
import { defineMap, defineSet } from '../schema.ts';
import type { SetSchema, TableRef } from '../schema.ts';
import { Transaction } from '../transaction.ts';
import { FAMILY, SET_FLAG } from '../wire.ts';
import type { Family } from '../wire.ts';
import { parseElements, parseTypes, tokenize, TokenReader } from './ruleset-text.ts';
import { tableKey } from './state.ts';
import type { FakeSet, FakeState, FakeTable } from './state.ts';

type Commit = (transaction: Transaction) => void;

/**
 * Carries out the part of nft's language that declares things: tables, chains, sets, maps, elements, `flush` and `delete`.
 * Rules are counted and their references noted; what they would do to a packet is not this fake's business.
 */
export function loadText(state: FakeState, source: string, commit: Commit): void {
  const reader = new TokenReader(tokenize(source));
  while (reader.hasCommand()) {
    const verb = reader.next();
    if (verb === 'table') tableBlock(state, reader, commit);
    else if (verb === 'add' || verb === 'create') addCommand(state, reader, commit);
    else if (verb === 'flush' || verb === 'delete') removeCommand(state, reader, verb, commit);
    else throw reader.fail(`syntax error, unexpected ${verb}`);
  }
}

function tableRef(reader: TokenReader): TableRef {
  const word = reader.next();
  const family = (word in FAMILY ? word : 'ip') as Family;
  return { family, name: word in FAMILY ? reader.next() : word };
}

function existing(state: FakeState, reader: TokenReader): FakeTable {
  const ref = tableRef(reader);
  const table = state.tables.get(tableKey(ref));
  if (table === undefined) throw reader.fail(`Could not process rule: No such file or directory (table ${tableKey(ref)})`, 'ENOENT');
  return table;
}

function ensureTable(state: FakeState, ref: TableRef): FakeTable {
  let table = state.tables.get(tableKey(ref));
  if (table === undefined) {
    table = { ref, handle: state.nextHandle(), chains: new Map(), sets: new Map() };
    state.tables.set(tableKey(ref), table);
  }
  return table;
}

function ensureChain(state: FakeState, table: FakeTable, name: string): void {
  if (!table.chains.has(name)) table.chains.set(name, { handle: state.nextHandle(), rules: [] });
}

/** `table FAMILY NAME { ... }`: declares first, fills afterwards, because elements and rules name chains further down. */
function tableBlock(state: FakeState, reader: TokenReader, commit: Commit): void {
  const table = ensureTable(state, tableRef(reader));
  if (reader.peek() !== '{') return;
  reader.next();
  const later: (() => void)[] = [];
  while (!reader.atClosingBrace()) {
    const kind = reader.next();
    if (kind === 'chain') {
      const name = reader.next();
      ensureChain(state, table, name);
      reader.expect('{');
      later.push(...chainBody(state, table, name, reader));
    } else if (kind === 'set' || kind === 'map') {
      later.push(...setBody(state, table, kind === 'map', reader, commit));
    } else throw reader.fail(`syntax error, unexpected ${kind}`);
  }
  reader.expect('}');
  later.forEach((fill) => fill());
}

function chainBody(state: FakeState, table: FakeTable, chain: string, reader: TokenReader): (() => void)[] {
  const rules: (() => void)[] = [];
  while (!reader.atClosingBrace()) {
    const words = reader.until([';', '}']);
    if (words[0] === 'type' || words[0] === 'policy' || words[0] === 'comment') continue;
    rules.push(() => addTextRule(state, table, chain, words));
  }
  reader.expect('}');
  return rules;
}

function addTextRule(state: FakeState, table: FakeTable, chain: string, words: readonly string[]): void {
  const references = words.flatMap((word, i) => word.startsWith('@') ? [word.slice(1)] : words[i - 1] === 'jump' || words[i - 1] === 'goto' ? [word] : []);
  table.chains.get(chain)?.rules.push({ handle: state.nextHandle(), expressions: ['text'], references: [...new Set(references)] });
}

function setBody(state: FakeState, table: FakeTable, isMap: boolean, reader: TokenReader, commit: Commit): (() => void)[] {
  const name = reader.next();
  reader.expect('{');
  let key: readonly string[] = [];
  let data: readonly string[] = [];
  let isTypeof = false;
  let flags: readonly string[] = [];
  let elements: readonly string[] = [];
  while (!reader.atClosingBrace()) {
    const words = reader.until([';', '}']);
    if (words[0] === 'type' || words[0] === 'typeof') {
      isTypeof = words[0] === 'typeof';
      const colon = words.indexOf(':');
      key = words.slice(1, colon < 0 ? undefined : colon);
      data = colon < 0 ? [] : words.slice(colon + 1);
    } else if (words[0] === 'flags') flags = words.slice(1).filter((word) => word !== ',');
    else if (words[0] === 'elements') elements = words.slice(3, -1);
  }
  reader.expect('}');
  const types = (words: readonly string[]): ReturnType<typeof parseTypes> => parseTypes(words, isTypeof, (text) => reader.fail(text));
  const interval = flags.includes('interval');
  const schema = isMap ? defineMap(table.ref, name, types(key), data[0] === 'verdict' ? 'verdict' : types(data), { interval }) : defineSet(table.ref, name, types(key), { interval });
  if (!table.sets.has(name)) table.sets.set(name, fakeSet(state, schema, flags));
  return elements.length === 0 ? [] : [() => commit(addElements(new Transaction(table.ref), table.sets.get(name)?.schema ?? schema, elements, 'add'))];
}

function fakeSet(state: FakeState, schema: SetSchema, flags: readonly string[]): FakeSet {
  const known = (Object.keys(SET_FLAG) as (keyof typeof SET_FLAG)[]).filter((flag) => flags.includes(flag) || (flag === 'map' && schema.data !== undefined));
  return { schema, elements: new Map(), info: { table: schema.table, name: schema.name, handle: state.nextHandle(), isMap: schema.data !== undefined, isAnonymous: false, flags: known, schema } };
}

function addElements(transaction: Transaction, schema: SetSchema, words: readonly string[], verb: 'add' | 'delete'): Transaction {
  for (const { key, cidr, data } of parseElements(words, schema)) {
    if (cidr !== undefined && verb === 'add') transaction.addRange(schema, cidrRange(cidr));
    else if (cidr !== undefined) transaction.deleteRange(schema, cidrRange(cidr));
    else if (verb === 'add') transaction.addElement(schema, key, data);
    else transaction.deleteElement(schema, key);
  }
  return transaction;
}

function namedSet(table: FakeTable, reader: TokenReader): FakeSet {
  const name = reader.next();
  const set = table.sets.get(name);
  if (set === undefined) throw reader.fail(`Could not process rule: No such file or directory (set ${name})`, 'ENOENT');
  return set;
}

function addCommand(state: FakeState, reader: TokenReader, commit: Commit): void {
  const kind = reader.next();
  if (kind === 'table') { tableBlock(state, reader, commit); return; }
  const table = existing(state, reader);
  if (kind === 'chain') {
    ensureChain(state, table, reader.next());
    reader.until([';']);
  } else if (kind === 'rule') {
    const chain = reader.next();
    if (!table.chains.has(chain)) throw reader.fail(`Could not process rule: No such file or directory (chain ${chain})`, 'ENOENT');
    addTextRule(state, table, chain, reader.until([';']));
  } else if (kind === 'set' || kind === 'map') setBody(state, table, kind === 'map', reader, commit).forEach((fill) => fill());
  else if (kind === 'element') {
    const { schema } = namedSet(table, reader);
    commit(addElements(new Transaction(table.ref), schema, reader.until([';']).slice(1, -1), 'add'));
  } else throw reader.fail(`syntax error, unexpected ${kind}`);
}

function removeCommand(state: FakeState, reader: TokenReader, verb: 'flush' | 'delete', commit: Commit): void {
  const kind = reader.next();
  if (kind === 'ruleset' && verb === 'flush') { state.tables.clear(); return; }
  const table = existing(state, reader);
  if (kind === 'table') {
    if (verb === 'delete') state.tables.delete(tableKey(table.ref));
    else for (const chain of table.chains.values()) chain.rules.length = 0; // elements stay
  } else if (kind === 'chain') {
    const name = reader.next();
    commit(verb === 'flush' ? new Transaction(table.ref).flushChain(name) : new Transaction(table.ref).deleteChain(name));
  } else if (kind === 'set' || kind === 'map') {
    const set = namedSet(table, reader);
    if (verb === 'flush') set.elements.clear();
    else table.sets.delete(set.schema.name);
  } else if (kind === 'element') {
    const { schema } = namedSet(table, reader);
    commit(addElements(new Transaction(table.ref), schema, reader.until([';']).slice(1, -1), 'delete'));
  } else throw reader.fail(`syntax error, unexpected ${kind}`);
}
