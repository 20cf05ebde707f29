// Two sources of rows for the packet model: the planner's state, and plain rows (a dump of the kernel).
import { inRange } from './address.ts';
import type { AddressRange, IpFamily } from './address.ts';
import { expectedRows } from './expected-rows.ts';
import type { RuleRows } from './explain.ts';
import { ROW_MAPS, isTwinId, TWIN } from './rows.ts';
import type { Field, MapName, Row } from './rows.ts';
import type { TableState } from './table-state.ts';

export type ConfigRanges = Readonly<Record<'svc-net' | 'pod-net' | 'node-ip', readonly AddressRange[]>>;

export interface AffinityRow { readonly servicePort: number; readonly client: string; readonly endpoint: number }

/** Rows as they would be after everything in `state` is written. */
export function stateRows(state: TableState, config: ConfigRanges): RuleRows {
  return plainRows(state.family, ROW_MAPS.flatMap((map) => [...expectedRows(state, map)]), config, [], (id, client) => {
    const port = state.portById(isTwinId(id) ? id - TWIN : id);
    return port?.sources !== undefined && inRange(port.sources, client);
  });
}

export function plainRows(family: IpFamily, rows: readonly Row[], config: ConfigRanges, affinity: readonly AffinityRow[], isSourceOk: (id: number, client: string) => boolean): RuleRows {
  const maps = new Map<MapName, Map<string, readonly Field[]>>();
  for (const row of rows) {
    const map = maps.get(row.map) ?? new Map<string, readonly Field[]>();
    maps.set(row.map, map);
    map.set(row.key.join(' '), row.data ?? []);
  }
  const find = (map: MapName, ...key: Field[]): readonly Field[] | undefined => maps.get(map)?.get(key.join(' '));
  const number = (map: MapName, ...key: Field[]): number | undefined => {
    const value = find(map, ...key)?.[0];
    return typeof value === 'number' ? value : undefined;
  };
  return {
    family,
    service: (address, protocol, port) => number('service', address, protocol, port),
    nodePort: (protocol, port) => number('node-port', protocol, port),
    count: (id) => number('count', id),
    slot: (id, index) => number('slot', id, index),
    endpoint: (id) => {
      const data = find('endpoint', id);
      return data === undefined ? undefined : { address: String(data[0]), port: Number(data[1]) };
    },
    sticky: (id) => number('sticky', id),
    isLive: (id, endpoint) => find('live', id, endpoint) !== undefined,
    affinity: (servicePort, client) => affinity.find((row) => row.servicePort === servicePort && row.client === client)?.endpoint,
    isSourceOk,
    isServiceIp: (address) => find('svc-ip', address) !== undefined,
    inSet: (set, address) => inRange(config[set], address),
    isHairpin: (address) => find('hairpin', address, address) !== undefined,
  };
}
