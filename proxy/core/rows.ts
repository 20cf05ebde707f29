// The vocabulary between the planner and whoever writes rows: names of sets and maps, ids, values.
import { HASHED, TWIN } from '../ruleset/render.ts';

export type MapName = 'service' | 'node-port' | 'count' | 'slot' | 'endpoint' | 'sticky' | 'owner' | 'live' | 'source-ok' | 'svc-ip' | 'hairpin';
export type Field = number | string | Uint8Array;

/** In the order of a packet's lookups, backwards. */
export const ROW_MAPS: readonly MapName[] = ['endpoint', 'slot', 'count', 'sticky', 'owner', 'live', 'source-ok', 'hairpin', 'service', 'node-port', 'svc-ip'];

export interface Row {
  readonly map: MapName;
  readonly key: readonly Field[];
  /** Absent in sets. */
  readonly data?: readonly Field[];
  /** Last key of an interval (inclusive). */
  readonly keyEnd?: readonly Field[];
}

/** Where the planner's changes go: a netlink transaction, or an array in tests. Calls are in the order they must take effect. */
export interface RowSink {
  add(row: Row): void;
  remove(row: Row): void;
  /** A chain lb-N (or hash-M) is needed, with its verdict row; or not any more. */
  addPicker(count: number): void;
  removePicker(count: number): void;
  addKeeper(seconds: number): void;
  removeKeeper(seconds: number): void;
}

/** Ids of service ports: bit 31, 24 bits of number; the class has its hex digit between. */
export const SERVICE_BIT = 0x8000_0000;
export const MAX_SERVICE_NUMBER = 0xff_ffff;
/** Endpoint ids have neither bit 31 nor the twin's bit. */
export const MAX_ENDPOINT_ID = 0x3fff_ffff;

export function serviceId(number: number): number { return SERVICE_BIT + number; }
export function serviceNumber(id: number): number { return id % 0x100_0000; }
export function isTwinId(id: number): boolean { return Math.floor(id / TWIN) % 2 === 1; }
export function twinOf(id: number): number { return id + TWIN; }
/** The value of a frontend row. */
export function frontValue(id: number, className: number, isTwin: boolean): number { return id + className * 0x100_0000 + (isTwin ? TWIN : 0); }
export function classOf(value: number): number { return Math.floor(value / 0x100_0000) % 16; }
/** The service port (or twin) in a frontend row's value. */
export function idOf(value: number): number { return value - classOf(value) * 0x100_0000; }
export { HASHED, TWIN };

export function rowText(row: Row): string {
  const show = (fields: readonly Field[]): string => fields.map((field) => (field instanceof Uint8Array ? Buffer.from(field).toString('hex') : String(field))).join(' . ');
  return `${row.map} ${show(row.key)}${row.keyEnd === undefined ? '' : ` - ${show(row.keyEnd)}`}${row.data === undefined ? '' : ` : ${show(row.data)}`}`;
}
