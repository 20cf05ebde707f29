import { eachAttribute, parseAttributes, text, u32 } from './attributes.ts';
import { ElementView } from './element-codec.ts';
import type { Element } from './element-codec.ts';
import type { SetSchema, TableRef } from './schema.ts';
import { MSG, familyName } from './wire.ts';

/** One object that somebody made or deleted. */
export interface MonitorChange {
  readonly kind: 'change';
  readonly action: 'new' | 'del';
  readonly object: 'table' | 'chain' | 'rule' | 'set' | 'element' | 'object' | 'flowtable';
  readonly table: TableRef;
  /** Of the chain or set. */
  readonly name: string;
  /** Port id of the netlink socket that caused it. */
  readonly portId: number;
  /** The elements that came or went, decoded when they are asked for; `set` is the schema of the set called `name`. [] unless `object` is `element`. */
  readonly elements: (set: SetSchema) => readonly Element[];
}

/** Somebody changed the ruleset. */
export type MonitorEvent =
  | MonitorChange
  /** A transaction is over. */
  | { readonly kind: 'generation'; readonly generation: number; readonly portId: number; /** Of the process that did it. */ readonly pid: number; readonly process: string }
  /** Events were lost (ENOBUFS): anything may have changed. */
  | { readonly kind: 'dirty' };

const CHANGES = new Map<number, Pick<MonitorChange, 'action' | 'object'> & { name: number }>([
  [MSG.NEWTABLE, { action: 'new', object: 'table', name: 0 }], [MSG.DELTABLE, { action: 'del', object: 'table', name: 0 }],
  [MSG.NEWCHAIN, { action: 'new', object: 'chain', name: 3 }], [MSG.DELCHAIN, { action: 'del', object: 'chain', name: 3 }],
  [MSG.NEWRULE, { action: 'new', object: 'rule', name: 2 }], [MSG.DELRULE, { action: 'del', object: 'rule', name: 2 }],
  [MSG.NEWSET, { action: 'new', object: 'set', name: 2 }], [MSG.DELSET, { action: 'del', object: 'set', name: 2 }],
  [MSG.NEWSETELEM, { action: 'new', object: 'element', name: 2 }], [MSG.DELSETELEM, { action: 'del', object: 'element', name: 2 }],
  [MSG.NEWOBJ, { action: 'new', object: 'object', name: 2 }], [MSG.DELOBJ, { action: 'del', object: 'object', name: 2 }],
  [MSG.NEWFLOWTABLE, { action: 'new', object: 'flowtable', name: 2 }], [MSG.DELFLOWTABLE, { action: 'del', object: 'flowtable', name: 2 }],
]);

/** A message of group NFNLGRP_NFTABLES; undefined for kinds that say nothing about the ruleset. */
export function parseMonitorMessage(type: number, portId: number, payload: Buffer): MonitorEvent | undefined {
  const operation = type & 0xff;
  if (operation === MSG.NEWGEN) {
    const attributes = parseAttributes(payload, 4);
    return { kind: 'generation', generation: u32(attributes, 1) ?? 0, portId, pid: u32(attributes, 2) ?? 0, process: text(attributes, 3) };
  }
  const change = CHANGES.get(operation);
  if (change === undefined) return undefined;
  let table = '';
  let name = '';
  for (const { type: attribute, value } of eachAttribute(payload, 4)) {
    if (attribute === 1) table = cString(value);
    else if (attribute === change.name) name = cString(value);
  }
  const family = familyName(payload[0] ?? 0);
  return {
    kind: 'change', action: change.action, object: change.object, table: { family: family === 'unspec' ? 'inet' : family, name: table }, name, portId,
    elements: (set) => (change.object === 'element' ? elementsOf(payload, set) : []),
  };
}

const ELEMENTS = 3; // NFTA_SET_ELEM_LIST_ELEMENTS

function elementsOf(payload: Buffer, set: SetSchema): Element[] {
  const list = parseAttributes(payload, 4).get(ELEMENTS);
  return list === undefined ? [] : [...eachAttribute(list)].map(({ value }) => new ElementView(set, value).decode());
}

function cString(value: Buffer): string {
  return value.toString('utf8', 0, Math.max(0, value.length - 1));
}
