import test from 'ava';
import fc from 'fast-check';
import type { Service } from '@podwire/kube-client';
import { expectedRows } from './expected-rows.ts';
import { ROW_MAPS, rowText } from './rows.ts';
import type { Row } from './rows.ts';
import { TableState } from './table-state.ts';
import { arbitraryChange } from '../testing/arbitrary.ts';
import { RowTable, canonical } from '../testing/row-table.ts';
import { World } from '../testing/world.ts';
import { service, slice } from '../testing/objects.ts';

const allRows = (state: TableState): Row[] => ROW_MAPS.flatMap((map) => [...expectedRows(state, map)]);

function coldStart(world: World, family: 'ip' | 'ip6'): string[] {
  const state = new TableState(family);
  const table = new RowTable();
  for (const key of world.services.keys()) state.update(key, world.desired(key, family), table);
  return canonical(table.rows.values());
}

for (const family of ['ip', 'ip6'] as const) {
  test(`any sequence of changes leaves the rows of a cold start, and never an operation that the kernel would refuse (${family})`, (t) => {
    fc.assert(fc.property(fc.array(fc.tuple(arbitraryChange, fc.boolean()), { maxLength: 40 }), (changes) => {
      const world = new World();
      const state = new TableState(family);
      const table = new RowTable();
      for (const [change, isRetired] of changes) {
        for (const key of world.apply(change)) state.update(key, world.desired(key, family), table);
        if (isRetired) state.retire(table);
        if (isRetired) for (const slots of [...state.ports()].flatMap((port) => [port.base, ...(port.twin === undefined ? [] : [port.twin])])) if (slots.hasRetired) throw new Error('retire left slots');
      }
      state.retire(table);
      const kernel = [...table.rows.values()];
      const believed = allRows(state).map(rowText).sort();
      if (kernel.map(rowText).sort().join('\n') !== believed.join('\n')) throw new Error(`state and table differ:\n${kernel.map(rowText).sort().join('\n')}\n---\n${believed.join('\n')}`);
      const cold = coldStart(world, family);
      if (canonical(kernel).join('\n') !== cold.join('\n')) throw new Error(`not as a cold start:\n${canonical(kernel).join('\n')}\n--- cold\n${cold.join('\n')}`);
      for (const [count, uses] of table.pickers) if (uses < 0) throw new Error(`picker ${count}: ${uses}`);
    }), { numRuns: 100 });
    t.pass();
  });
}

test('the same wish twice is no operation', (t) => {
  fc.assert(fc.property(fc.array(arbitraryChange, { maxLength: 20 }), (changes) => {
    const world = new World();
    const state = new TableState('ip');
    const table = new RowTable();
    for (const change of changes) for (const key of world.apply(change)) state.update(key, world.desired(key, 'ip'), table);
    state.retire(table);
    table.operations = 0;
    for (const key of world.services.keys()) state.update(key, world.desired(key, 'ip'), table);
    return table.operations === 0;
  }), { numRuns: 100 });
  t.pass();
});

test('at every moment each slot below the count, and each slot a moment ago, leads to an endpoint that has a row', (t) => {
  fc.assert(fc.property(fc.array(arbitraryChange, { maxLength: 30 }), (changes) => {
    const world = new World();
    const state = new TableState('ip');
    const table = new RowTable();
    let before: Row[] = [];
    for (const change of changes) {
      for (const key of world.apply(change)) state.update(key, world.desired(key, 'ip'), table);
      // A packet that read the count of a moment ago looks the slot up now; one that read the slot then looks the endpoint up now.
      for (const row of before) {
        if (row.map !== 'slot' && row.map !== 'endpoint') continue;
        if (!table.rows.has(`${row.map} ${row.key.join(' ')} `)) throw new Error(`${rowText(row)} vanished in one step`);
      }
      for (const row of table.rows.values()) if (row.map === 'slot' && !table.rows.has(`endpoint ${String(row.data?.[0])} `)) throw new Error(`${rowText(row)} leads nowhere`);
      state.retire(table);
      before = [...table.rows.values()];
    }
  }), { numRuns: 100 });
  t.pass();
});

function setup(endpoints: readonly string[], extra: Partial<NonNullable<Service['spec']>> = {}) {
  const world = new World();
  const state = new TableState('ip');
  const table = new RowTable();
  const put = (addresses: readonly string[]): void => {
    world.apply({ kind: 'slice', object: slice('s-4', 's', addresses.map((address) => ({ address, node: 'node1' })), [{ name: 't', protocol: 'TCP', port: 8080 }]) });
    state.update('default/s', world.desired('default/s', 'ip'), table);
  };
  world.apply({ kind: 'service', object: service('s', ['10.96.0.1'], { ports: [{ name: 't', protocol: 'TCP', port: 80 }], ...extra }) });
  put(endpoints);
  table.operations = 0;
  return { world, state, table, put };
}

test('replacing one of ten endpoints costs five rows now and two later, whatever the Service', (t) => {
  const ten = Array.from({ length: 10 }, (_, n) => `10.244.1.${n + 2}`);
  const { state, table, put } = setup(ten);
  put([...ten.slice(1), '10.244.1.99']);
  t.is(table.operations, 5); // endpoint, slot out and in, two hairpin rows
  table.operations = 0;
  state.retire(table);
  t.is(table.operations, 1);
});

test('scaling from three to two overwrites the last slot with a live endpoint and removes it only when retired', (t) => {
  const { state, table, put } = setup(['10.244.1.2', '10.244.1.3', '10.244.1.4']);
  put(['10.244.1.2', '10.244.1.3']);
  const slots = (): string[] => [...table.rows.values()].filter((row) => row.map === 'slot').map((row) => String(row.key[1]));
  t.deepEqual(slots().sort(), ['0', '1', '2']);
  state.retire(table);
  t.deepEqual(slots().sort(), ['0', '1']);
});

test('an endpoint that comes back before it is retired costs its slot only', (t) => {
  const { table, put } = setup(['10.244.1.2', '10.244.1.3']);
  put(['10.244.1.2']);
  const endpoints = [...table.rows.values()].filter((row) => row.map === 'endpoint').length;
  put(['10.244.1.2', '10.244.1.3']);
  t.is([...table.rows.values()].filter((row) => row.map === 'endpoint').length, endpoints);
});

test('of two Services that want one address the older has it, and the younger gets it when the older goes', (t) => {
  const conflicts: string[] = [];
  const state = new TableState('ip', { onConflict: ({ winner, loser }) => conflicts.push(`${winner} over ${loser}`) });
  const table = new RowTable();
  const world = new World();
  const make = (name: string, ip: string, created: string): Service => service(name, [ip], { externalIPs: ['203.0.113.9'], ports: [{ name: 't', protocol: 'TCP', port: 80 }] }, { metadata: { name, namespace: 'default', creationTimestamp: created } });
  for (const object of [make('young', '10.96.0.2', '2026-02-02T00:00:00Z'), make('old', '10.96.0.1', '2026-01-01T00:00:00Z')]) {
    for (const key of world.apply({ kind: 'service', object })) state.update(key, world.desired(key, 'ip'), table);
  }
  const owner = (): string | undefined => state.fronts.owner('203.0.113.9 6 80')?.service;
  t.is(owner(), 'default/old');
  t.deepEqual(conflicts, ['default/old:t/6 over default/young:t/6']);
  state.update('default/old', undefined, table);
  t.is(owner(), 'default/young');
});

test('a hashed Service has the same table whatever the order of its endpoints', (t) => {
  const make = (addresses: readonly string[]): string[] => {
    const world = new World();
    const state = new TableState('ip');
    const table = new RowTable();
    world.apply({ kind: 'service', object: service('s', ['10.96.0.1'], { ports: [{ name: 't', protocol: 'TCP', port: 80 }] }, { metadata: { annotations: { 'podwire.dev/load-balancing': 'consistent-hash' } } }) });
    world.apply({ kind: 'slice', object: slice('s-4', 's', addresses.map((address) => ({ address })), [{ name: 't', protocol: 'TCP', port: 8080 }]) });
    world.services.set('default/s', { ...world.services.get('default/s'), metadata: { name: 's', namespace: 'default', annotations: { 'podwire.dev/load-balancing': 'consistent-hash' } } });
    state.update('default/s', world.desired('default/s', 'ip'), table);
    const port = state.portsOf('default/s')[0];
    return (port?.base.slots ?? []).map((id) => state.endpointById(id)?.key ?? '');
  };
  const forward = make(['10.244.1.2', '10.244.1.3', '10.244.1.4']);
  t.is(forward.length, 251);
  t.deepEqual(forward, make(['10.244.1.4', '10.244.1.2', '10.244.1.3']));
  const moved = make(['10.244.1.2', '10.244.1.3']);
  const stayed = forward.filter((key, index) => key !== '10.244.1.4 8080' && moved[index] === key).length;
  t.true(stayed > 150, `${stayed} of 167 stayed`);
});
