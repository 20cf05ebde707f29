// Every row that the kernel should have, as the state says: what the audit compares with a dump, and `show` prints.
import type { PortState } from './port-state.ts';
import type { MapName, Row } from './rows.ts';
import { sourceRow } from './table-state.ts';
import type { TableState } from './table-state.ts';

export function* expectedRows(state: TableState, map: MapName): Generator<Row> {
  if (map === 'service' || map === 'node-port') {
    for (const row of state.fronts.rows()) if (row.map === map) yield row;
  } else if (map === 'svc-ip') {
    for (const address of state.clusterIPs()) yield { map, key: [address] };
  } else if (map === 'hairpin') {
    for (const address of state.hairpinAddresses()) yield { map, key: [address, address] };
  } else {
    for (const port of state.ports()) yield* portRows(state, port, map);
  }
}

/** The rows that belong to one service port alone. */
export function* portRows(state: TableState, port: PortState, map: MapName): Generator<Row> {
  const both = port.twin === undefined ? [port.base] : [port.base, port.twin];
  switch (map) {
    case 'count':
      for (const { id, count } of both) if (count !== 0) yield { map, key: [id], data: [count] };
      return;
    case 'slot':
      for (const { id, slots } of both) for (const [index, endpoint] of slots.entries()) yield { map, key: [id, index], data: [endpoint] };
      return;
    case 'endpoint':
      for (const group of [port.endpoints, port.zombies]) for (const endpoint of group.values()) yield { map, key: [endpoint.id], data: [endpoint.address, endpoint.port] };
      return;
    case 'sticky':
      for (const id of port.stickyIds) yield { map, key: [id], data: [port.stickySeconds] };
      return;
    case 'owner':
      for (const id of port.owners) yield { map, key: [id], data: [port.id] };
      return;
    case 'live':
      for (const key of port.live) yield { map, key: key.split(' ').map(Number) };
      return;
    case 'source-ok':
      for (const range of port.sources ?? []) yield sourceRow(state.family, port.id, range);
      return;
    default:
  }
}
