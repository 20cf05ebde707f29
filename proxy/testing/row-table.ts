// A strict table in memory: what the kernel would refuse throws. And rows without their accidental ids, for comparing tables.
import { TWIN, idOf, isTwinId, rowText } from '../core/rows.ts';
import type { Row, RowSink } from '../core/rows.ts';

export class RowTable implements RowSink {
  readonly rows = new Map<string, Row>();
  readonly pickers = new Map<number, number>();
  readonly keepers = new Map<number, number>();
  operations = 0;

  add(row: Row): void {
    this.operations++;
    const key = keyText(row);
    const before = this.rows.get(key);
    if (before !== undefined) throw new Error(`EEXIST ${rowText(row)} over ${rowText(before)}`);
    this.rows.set(key, row);
  }

  remove(row: Row): void {
    this.operations++;
    if (!this.rows.delete(keyText(row))) throw new Error(`ENOENT ${rowText(row)}`);
  }

  addPicker(count: number): void { this.pickers.set(count, (this.pickers.get(count) ?? 0) + 1); }
  removePicker(count: number): void { this.pickers.set(count, (this.pickers.get(count) ?? 0) - 1); }
  addKeeper(seconds: number): void { this.keepers.set(seconds, (this.keepers.get(seconds) ?? 0) + 1); }
  removeKeeper(seconds: number): void { this.keepers.set(seconds, (this.keepers.get(seconds) ?? 0) - 1); }
}

function keyText(row: Row): string { return `${row.map} ${row.key.join(' ')} ${row.keyEnd?.join(' ') ?? ''}`; }

/** The rows with ids replaced by what they stand for, slots without their order: equal texts mean equal behaviour. */
export function canonical(rows: Iterable<Row>): string[] {
  const all = [...rows];
  const ports = new Map<number, string>();
  const base = (id: number): number => (isTwinId(id) ? id - TWIN : id);
  const fronts = all.filter((row) => row.map === 'service' || row.map === 'node-port').toSorted((x, y) => (rowText({ ...x, data: [] }) < rowText({ ...y, data: [] }) ? -1 : 1));
  for (const row of fronts) {
    const id = base(idOf(Number(row.data?.[0])));
    if (!ports.has(id)) ports.set(id, `<${row.map} ${row.key.join(' ')}>`);
  }
  const portName = (id: number): string => `${ports.get(base(id)) ?? '<orphan>'}${isTwinId(id) ? '/local' : ''}`;
  const endpoints = new Map<number, string>();
  for (const row of all) if (row.map === 'endpoint') endpoints.set(Number(row.key[0]), row.data?.join(' ') ?? '');
  const endpointName = (id: number): string => endpoints.get(id) ?? '<no endpoint>';
  const owners = new Map<number, string>();
  for (const row of all) if (row.map === 'slot') owners.set(Number(row.data?.[0]), portName(base(Number(row.key[0]))));
  return all.map((row): string => {
    const id = Number(row.key[0]);
    const data = Number(row.data?.[0]);
    switch (row.map) {
      case 'service':
      case 'node-port': return `${row.map} ${row.key.join(' ')} : ${portName(idOf(data))} class ${Math.floor(data / 0x100_0000) % 16}`;
      case 'count':
      case 'sticky': return `${row.map} ${portName(id)} : ${data}`;
      case 'slot': return `slot ${portName(id)} : ${endpointName(data)}`;
      case 'endpoint': return `endpoint ${owners.get(id) ?? '<no slot>'} : ${endpointName(id)}`;
      case 'owner': return `owner ${endpointName(id)} : ${portName(data)}`;
      case 'live': return `live ${portName(id)} ${endpointName(Number(row.key[1]))}`;
      case 'source-ok': return `source-ok ${portName(id)} ${String(row.key[1])}-${String(row.keyEnd?.[1] ?? row.key[1])}`;
      default: return `${row.map} ${row.key.join(' ')}`;
    }
  }).sort();
}
