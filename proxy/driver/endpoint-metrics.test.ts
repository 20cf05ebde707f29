import test from 'ava';
import { FakeNft, Transaction } from 'nftables-js';
import { TableState } from '../core/table-state.ts';
import { tableSchema } from '../ruleset/schema.ts';
import { service, slice } from '../testing/objects.ts';
import { RowTable } from '../testing/row-table.ts';
import { World } from '../testing/world.ts';
import { endpointConnectionsText } from './endpoint-metrics.ts';

test('one line for each endpoint, however many there are; odd names are escaped', async (t) => {
  const schema = tableSchema('ip');
  const world = new World();
  for (let n = 0; n < 150; n++) {
    world.apply({ kind: 'service', object: service(`s${n}`, [`10.96.0.${n}`], { ports: [{ name: 'a"b\\', protocol: 'TCP', port: 80 }] }) });
    world.apply({ kind: 'slice', object: slice(`s${n}-4`, `s${n}`, [{ address: `10.1.${n}.1` }, { address: `10.1.${n}.2` }], [{ name: 'a"b\\', protocol: 'TCP', port: 8080 }]) });
  }
  const state = new TableState('ip');
  const rows = new RowTable();
  for (const key of world.services.keys()) state.update(key, world.desired(key, 'ip'), rows);
  const nft = new FakeNft();
  await nft.loadRuleset('table ip podwire {\n  map endpoint { type mark : ipv4_addr . inet_service; counter; }\n}\n');
  const transaction = new Transaction(schema.table);
  for (const { map, key, data } of rows.rows.values()) if (map === 'endpoint') transaction.addElement(schema.rows.endpoint, key[0] ?? 0, data ?? []);
  await nft.commit(transaction);
  const lines = (await endpointConnectionsText(nft, [{ schema, state }])).split('\n');
  t.is(lines[1], '# TYPE podwire_proxy_endpoint_connections_total counter');
  t.is(lines.at(-1), '');
  t.is(new Set(lines.slice(2, -1)).size, 300);
  t.true(lines.includes(String.raw`podwire_proxy_endpoint_connections_total{namespace="default",service="s7",port="a\"b\\",protocol="TCP",endpoint="10.1.7.2:8080",ip_family="IPv4"} 0`), lines[2]);
});

test('a table that is not there is said', async (t) => {
  const state = new TableState('ip');
  const rows = new RowTable();
  const world = new World();
  world.apply({ kind: 'service', object: service('s', ['10.96.0.1']) });
  world.apply({ kind: 'slice', object: slice('s-4', 's', [{ address: '10.1.0.1' }]) });
  state.update('default/s', world.desired('default/s', 'ip'), rows);
  await t.throwsAsync(endpointConnectionsText(new FakeNft(), [{ schema: tableSchema('ip'), state }]), { code: 'ENOENT' });
});
