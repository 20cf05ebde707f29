// The rows that the kernel holds, in the planner's words; and an earlier proxy's rows taken over by a fresh state.
import { TimeSlices } from '@podwire/netlink';
import { PROTOCOLS } from 'nftables-js';
import type { Element, ElementCounter, ElementValue, Nft } from 'nftables-js';
import { addressNumber } from '../core/address.ts';
import { expectedRows } from '../core/expected-rows.ts';
import { frontKey } from '../core/fronts.ts';
import { idOf, isTwinId, TWIN } from '../core/rows.ts';
import type { Field, MapName, Row } from '../core/rows.ts';
import type { TableState } from '../core/table-state.ts';
import type { TableSchema } from '../ruleset/schema.ts';
import { RowPrint } from './row-print.ts';
import { Suspicion } from './suspicion.ts';

export interface KernelRow extends Row { readonly counter?: ElementCounter }

/** `podwire` as the kernel has it: calls `visit` for each row of one map, or for those that are there of `only`. */
export async function readRows(nft: Nft, schema: TableSchema, map: MapName, visit: (row: KernelRow) => void, only?: Iterable<Row>): Promise<void> {
  const set = schema.rows[map];
  if (only === undefined) await nft.elements(set, (view) => visit(rowOf(map, view.decode())));
  else for (const element of await nft.elements(set, { keys: [...only].map(({ key }) => elementValue(key)) })) visit(rowOf(map, element));
}

/** Fields as nftables-js takes them: one alone stands for itself. */
export function elementValue(fields: Row['key']): ElementValue { return fields.length === 1 ? (fields[0] ?? 0) : fields; }

/** A row as the planner would write it. */
export function rowOf(map: MapName, element: Element): KernelRow {
  const protocolAt = map === 'service' ? 1 : map === 'node-port' ? 0 : -1;
  const fields = (values: readonly Field[]): Field[] => values.map((value, index) => {
    if (map === 'source-ok' && index === 0) return Number(addressNumber(String(value))); // see its schema
    return index === protocolAt ? protocolNumber(value) : value;
  });
  return {
    map,
    key: fields(element.key),
    ...(element.keyEnd === undefined ? {} : { keyEnd: fields(element.keyEnd) }),
    ...(element.data === undefined ? {} : { data: element.data }),
    ...(element.counter === undefined ? {} : { counter: element.counter }),
  };
}

function protocolNumber(value: Field): Field {
  return typeof value === 'string' ? (PROTOCOLS as Readonly<Record<string, number>>)[value] ?? value : value;
}

const number = (value: Field | undefined): number => (typeof value === 'number' ? value : 0);
const text = (value: Field | undefined): string => (typeof value === 'string' ? value : '');

export interface Adoption {
  readonly rows: number;
  /** Maps with rows that the state does not say again: somebody else's, or such as contradict each other. To be audited once every Service is known. */
  readonly suspicion: Suspicion;
}

/** Fills an empty state with what an earlier proxy programmed; Services then claim it by their frontends, and nothing is written twice. */
export async function adoptRows(nft: Nft, schema: TableSchema, state: TableState): Promise<Adoption> {
  let rows = 0;
  const suspicion = new Suspicion();
  const count = (map: MapName, visit: (row: KernelRow) => void): Promise<void> => readRows(nft, schema, map, (row) => {
    rows++;
    visit(row);
  });
  const prints = new Map<MapName, RowPrint>();
  const read = async (map: MapName, visit: (row: KernelRow) => void): Promise<void> => {
    const print = new RowPrint();
    prints.set(map, print);
    await count(map, (row) => {
      print.add(row);
      visit(row);
    });
  };
  const baseOf = (id: number): number => (isTwinId(id) ? id - TWIN : id);
  const front = (address: string, protocol: number, port: number, value: number): void => {
    state.fronts.adopt(frontKey({ address, protocol, port }), state.adoptPort(baseOf(idOf(value))), value);
  };
  await read('service', ({ key, data }) => front(text(key[0]), number(key[1]), number(key[2]), number(data?.[0])));
  await read('node-port', ({ key, data }) => front('', number(key[0]), number(key[1]), number(data?.[0])));
  const slotsOf = (id: number): { count: number; slots: number[] } => {
    const port = state.adoptPort(baseOf(id));
    return isTwinId(id) ? port.ensureTwin() : port.base;
  };
  await read('count', ({ key, data }) => { slotsOf(number(key[0])).count = number(data?.[0]); });
  const owners = new Map<number, number>();
  await read('slot', ({ key, data }) => {
    const id = number(key[0]);
    const index = number(key[1]);
    if (index >= 0x1_0000) return; // no count reaches it: the audit removes it
    slotsOf(id).slots[index] = number(data?.[0]);
    owners.set(number(data?.[0]), baseOf(id));
  });
  await read('endpoint', ({ key, data }) => {
    const id = number(key[0]);
    const owner = owners.get(id);
    if (owner === undefined || !state.adoptEndpoint(state.adoptPort(owner), id, text(data?.[0]), number(data?.[1]))) state.adoptOrphan(id);
  });
  await read('sticky', ({ key, data }) => {
    const id = number(key[0]);
    const port = state.adoptPort(baseOf(id));
    port.stickySeconds = number(data?.[0]);
    port.stickyIds.push(id);
  });
  await read('owner', ({ key, data }) => {
    // Only of endpoints that were taken over: the rest belongs to nobody, and the audit removes it.
    if (state.endpointById(number(key[0])) !== undefined) state.adoptPort(number(data?.[0])).addOwner(number(key[0]));
  });
  await read('live', ({ key }) => state.adoptPort(baseOf(number(key[0]))).addLive(`${number(key[0])} ${number(key[1])}`));
  await read('source-ok', ({ key, keyEnd }) => {
    const port = state.adoptPort(number(key[0]));
    port.sources = [...(port.sources ?? []), { first: addressNumber(text(key[1])), last: addressNumber(text(keyEnd?.[1] ?? key[1])) }];
  });
  // Several Services may need these: taken over as they are.
  await count('svc-ip', (row) => state.adoptShared(row));
  await count('hairpin', (row) => {
    state.adoptShared(row);
    if (row.key[0] !== row.key[1]) suspicion.addMap('hairpin'); // no endpoint is two addresses
  });
  for (const port of state.ports()) {
    for (const slots of [port.base, port.twin]) if (slots !== undefined) slots.slots = dense(slots.slots);
  }
  for (const [map, print] of prints) if (!print.equals(await printOf(state, map))) suspicion.addMap(map);
  return { rows, suspicion };
}

async function printOf(state: TableState, map: MapName): Promise<RowPrint> {
  const print = new RowPrint();
  const slices = new TimeSlices();
  for (const row of expectedRows(state, map)) {
    print.add(row);
    if (slices.isOver) await slices.next();
  }
  return print;
}

/** Slots up to the first gap: a gap means that somebody tampered with them, and the audit sorts it out. */
function dense(slots: readonly (number | undefined)[]): number[] {
  const end = Array.from(slots).findIndex((slot) => slot === undefined);
  return slots.slice(0, end < 0 ? slots.length : end).map((slot) => slot ?? 0);
}
