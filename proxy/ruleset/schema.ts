// The sets and maps of podwire.nft, for element transactions; the fields are those of the file.
import { defineMap, defineSet } from 'nftables-js';
import type { FieldType, SetSchema, TableRef } from 'nftables-js';
import type { MapName } from '../core/rows.ts';
import { TABLE } from './render.ts';
import type { IpFamily } from './render.ts';

export type ConfigSet = 'svc-net' | 'pod-net' | 'node-ip';

export interface TableSchema {
  readonly table: TableRef;
  readonly family: IpFamily;
  readonly rows: Readonly<Record<MapName, SetSchema>>;
  readonly config: Readonly<Record<ConfigSet, SetSchema>>;
  readonly affinity: SetSchema;
  readonly pickers: SetSchema;
  readonly keepers: SetSchema;
  readonly policies: SetSchema;
}

export function tableSchema(family: IpFamily, name = TABLE): TableSchema {
  const table: TableRef = { family, name };
  const address: FieldType = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  return {
    table,
    family,
    rows: {
      service: defineMap(table, 'service', [address, 'inet_proto', 'inet_service'], ['mark']),
      'node-port': defineMap(table, 'node-port', ['inet_proto', 'inet_service'], ['mark']),
      count: defineMap(table, 'count', ['mark'], ['mark']),
      slot: defineMap(table, 'slot', ['mark', 'mark'], ['mark']),
      endpoint: defineMap(table, 'endpoint', ['mark'], [address, 'inet_service']),
      sticky: defineMap(table, 'sticky', ['mark'], ['mark']),
      owner: defineMap(table, 'owner', ['mark'], ['mark']),
      live: defineSet(table, 'live', ['mark', 'mark']),
      // The mark of an interval set is in network byte order (nft converts it before the lookup), which is how a number is written as ipv4_addr.
      'source-ok': defineSet(table, 'source-ok', ['ipv4_addr', address], { interval: true }),
      'svc-ip': defineSet(table, 'svc-ip', [address]),
      hairpin: defineSet(table, 'hairpin', [address, address]),
    },
    config: {
      'svc-net': defineSet(table, 'svc-net', [address], { interval: true }),
      'pod-net': defineSet(table, 'pod-net', [address], { interval: true }),
      'node-ip': defineSet(table, 'node-ip', [address], { interval: true }),
    },
    affinity: defineMap(table, 'affinity', ['mark', address], ['mark']),
    pickers: defineMap(table, 'pickers', ['mark'], 'verdict'),
    keepers: defineMap(table, 'keepers', ['mark'], 'verdict'),
    policies: defineMap(table, 'policies', ['mark'], 'verdict'),
  };
}
