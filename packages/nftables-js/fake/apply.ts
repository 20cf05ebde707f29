import { eachAttribute, nested, parseAttributes, text, u64 } from '../attributes.ts';
import type { Attributes } from '../attributes.ts';
import { ElementView } from '../element-codec.ts';
import { parseRule } from '../listing.ts';
import type { MonitorEvent } from '../monitor.ts';
import { writeValue } from '../schema.ts';
import type { ElementValue, SetSchema } from '../schema.ts';
import { MSG, NFNL_HEADER, NLM_F_EXCL, familyName } from '../wire.ts';
import type { Family } from '../wire.ts';
import type { FakeSet, FakeState, FakeTable } from './state.ts';

const EXIST = 17, NOENT = 2, BUSY = 16;

/** A refusal: errno, and the offset in the message of the element it is about. */
export class Refusal extends Error {
  readonly errno: number;
  readonly offset: number | undefined;
  constructor(errno: number, offset?: number) {
    super(`errno ${errno}`);
    this.errno = errno;
    this.offset = offset;
  }
}

/** How to take back what was done so far, in order: a failed transaction leaves nothing. */
export type Journal = (() => void)[];

/** Carries out one nf_tables message, with the kernel's checks; throws Refusal. Returns what the monitor would say. */
export function applyMessage(state: FakeState, message: Buffer, portId: number, undo: Journal): MonitorEvent | undefined {
  const operation = message.readUInt16LE(4) & 0xff;
  const family = familyName(message[16] ?? 0) as Family;
  const attributes = parseAttributes(message, NFNL_HEADER);
  const table = state.tables.get(`${family} ${text(attributes, 1)}`);
  if (table === undefined) throw new Refusal(NOENT);
  const event = (action: 'new' | 'del', object: 'chain' | 'rule' | 'element', name: string, encoded: readonly Buffer[] = []): MonitorEvent =>
    ({ kind: 'change', action, object, table: table.ref, name, portId, elements: (schema) => encoded.map((one) => new ElementView(schema, one).decode()) });
  switch (operation) {
    case MSG.NEWCHAIN: {
      const name = text(attributes, 3);
      if (!table.chains.has(name)) {
        table.chains.set(name, { handle: state.nextHandle(), rules: [] });
        undo.push(() => table.chains.delete(name));
      }
      return event('new', 'chain', name);
    }
    case MSG.DELCHAIN: {
      const name = text(attributes, 3);
      const chain = table.chains.get(name);
      if (chain === undefined) throw new Refusal(NOENT);
      if (isNamed(table, name)) throw new Refusal(BUSY);
      table.chains.delete(name);
      undo.push(() => table.chains.set(name, chain));
      return event('del', 'chain', name);
    }
    case MSG.NEWRULE: return addRule(state, table, message, event, undo);
    case MSG.DELRULE: return deleteRules(table, attributes, event, undo);
    case MSG.NEWSETELEM:
    case MSG.DELSETELEM: {
      const set = table.sets.get(text(attributes, 2));
      if (set === undefined) throw new Refusal(NOENT);
      const changed = changeElements(table, set, message, operation, undo);
      return changed.length === 0 ? undefined : event(operation === MSG.NEWSETELEM ? 'new' : 'del', 'element', set.schema.name, changed);
    }
    default: return undefined;
  }
}

type Event = (action: 'new' | 'del', object: 'rule', name: string) => MonitorEvent;

function addRule(state: FakeState, table: FakeTable, message: Buffer, event: Event, undo: Journal): MonitorEvent {
  const { chain: name, expressions, references } = parseRule(message.subarray(16));
  const chain = table.chains.get(name);
  if (chain === undefined || references.some((reference) => !table.sets.has(reference) && !table.chains.has(reference))) throw new Refusal(NOENT);
  chain.rules.push({ handle: state.nextHandle(), expressions, references });
  undo.push(() => chain.rules.pop());
  return event('new', 'rule', name);
}

function deleteRules(table: FakeTable, attributes: Attributes, event: Event, undo: Journal): MonitorEvent {
  const name = text(attributes, 2);
  const chain = table.chains.get(name);
  if (chain === undefined) throw new Refusal(NOENT);
  const handle = u64(attributes, 3);
  const at = handle === undefined ? 0 : chain.rules.findIndex((rule) => rule.handle === handle);
  if (at < 0) throw new Refusal(NOENT);
  const gone = chain.rules.splice(at, handle === undefined ? chain.rules.length : 1);
  undo.push(() => chain.rules.splice(at, 0, ...gone));
  return event('del', 'rule', name);
}

function isNamed(table: FakeTable, chain: string): boolean {
  for (const { rules } of table.chains.values()) if (rules.some((rule) => rule.references.includes(chain))) return true;
  for (const { schema, elements } of table.sets.values()) {
    if (schema.data !== 'verdict') continue;
    for (const encoded of elements.values()) if (new ElementView(schema, encoded).verdict?.chain === chain) return true;
  }
  return false;
}

/** Returns the elements that came or went, encoded. */
function changeElements(table: FakeTable, set: FakeSet, message: Buffer, operation: number, undo: Journal): Buffer[] {
  const isExclusive = (message.readUInt16LE(6) & NLM_F_EXCL) !== 0;
  const list = [...eachAttribute(message, NFNL_HEADER)].find(({ type }) => type === 3);
  if (list === undefined) {
    const gone = [...set.elements];
    set.elements.clear();
    undo.push(() => gone.forEach(([key, value]) => set.elements.set(key, value)));
    return gone.map(([, value]) => value);
  }
  const changed: Buffer[] = [];
  for (const { value, offset } of eachAttribute(message, list.offset + 4, list.offset + 4 + list.value.length)) {
    const key = elementKey(set.schema, value);
    const existing = set.elements.get(key);
    if (operation === MSG.DELSETELEM) {
      if (existing === undefined) throw new Refusal(NOENT, offset);
      set.elements.delete(key);
      undo.push(() => set.elements.set(key, existing));
      changed.push(existing);
      continue;
    }
    const chain = new ElementView(set.schema, value).verdict?.chain;
    if (chain !== undefined && !table.chains.has(chain)) throw new Refusal(NOENT, offset);
    if (existing !== undefined && (isExclusive || dataOf(existing) !== dataOf(value))) throw new Refusal(EXIST, offset);
    if (existing !== undefined) continue;
    const kept = Buffer.from(value);
    set.elements.set(key, kept);
    undo.push(() => set.elements.delete(key));
    changed.push(kept);
  }
  return changed;
}

/** An interval's end is another element than one that starts at the same key. */
export function elementKey(schema: SetSchema, encoded: Buffer): string {
  const view = new ElementView(schema, encoded);
  return `${view.rawKey.toString('latin1')}${view.intervalEnd ? '/end' : ''}`;
}

/** The same for a key that is not encoded yet. */
export function encodedKey(schema: SetSchema, key: ElementValue): string {
  const bytes = Buffer.alloc(schema.key.length);
  writeValue(schema.key, bytes, 0, key);
  return bytes.toString('latin1');
}

function dataOf(encoded: Buffer): string {
  return [...nested(parseAttributes(encoded), 2)].map(([type, value]) => `${type}:${value.toString('latin1')}`).join();
}
