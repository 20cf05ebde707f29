// On the real kernel: after any sequence of changes it holds what a cold start would have written, a restart changes nothing, and
// what others change is put right. The number of chains and rules never depends on how many Services there are.
import test from 'ava';
import fc from 'fast-check';
import { unshareNetns } from '@podwire/netlink';
import { KernelNft, Transaction, runNft } from 'nftables-js';
import { ROW_MAPS } from '../../proxy/core/rows.ts';
import type { Row } from '../../proxy/core/rows.ts';
import { TableState } from '../../proxy/core/table-state.ts';
import { readRows } from '../../proxy/driver/kernel-rows.ts';
import { TableProgrammer } from '../../proxy/driver/table-programmer.ts';
import { arbitraryChange } from '../../proxy/testing/arbitrary.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import { RowTable, canonical } from '../../proxy/testing/row-table.ts';
import { World } from '../../proxy/testing/world.ts';

unshareNetns();
const nft = KernelNft.open();
const RULES = { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 } as const;
const programmer = (family: 'ip' | 'ip6'): TableProgrammer => new TableProgrammer(family, nft, RULES);

async function kernelRows(table: TableProgrammer): Promise<Row[]> {
  const rows: Row[] = [];
  for (const map of ROW_MAPS) await readRows(nft, table.schema, map, (row) => rows.push(row));
  return rows;
}

function coldStart(world: World, family: 'ip' | 'ip6'): string[] {
  const state = new TableState(family);
  const table = new RowTable();
  for (const key of world.services.keys()) state.update(key, world.desired(key, family), table);
  return canonical(table.rows.values());
}

async function chainCounts(family: 'ip' | 'ip6'): Promise<{ chains: string[]; rules: number }> {
  const { chains, rules } = await nft.list({ family, name: 'podwire' });
  return { chains: chains.map(({ name }) => name).sort(), rules: rules.length };
}

for (const family of ['ip', 'ip6'] as const) {
  test.serial(`any sequence of changes, with restarts in between, leaves the ${family} table of a cold start`, async (t) => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(arbitraryChange, fc.constantFrom('', '', '', 'retire', 'restart')), { minLength: 5, maxLength: 25 }), async (changes) => {
      const world = new World();
      let table = programmer(family);
      await table.remove();
      await table.start();
      for (const [change, then] of changes) {
        const dirty = new Set(world.apply(change));
        await table.sync([...dirty].map((key) => [key, world.desired(key, family)] as const));
        if (then === 'retire') await table.retire();
        if (then !== 'restart') continue;
        table = programmer(family);
        const { suspicion } = await table.start();
        await table.sync([...world.services.keys()].map((key) => [key, world.desired(key, family)] as const));
        await table.removeAdopted();
        await table.audit(suspicion);
      }
      await table.retire();
      await table.retireChains();
      const held = canonical(await kernelRows(table)).join('\n');
      const cold = coldStart(world, family).join('\n');
      if (held !== cold) throw new Error(`kernel:\n${held}\n--- cold start:\n${cold}`);
      const repair = await table.audit();
      if (repair.added + repair.removed + repair.changed > 0 || repair.rules || repair.details.length > 0) throw new Error(`the audit found ${JSON.stringify(repair)}`);
      const wanted = new Set([...table.state.ports()].flatMap((port) => [port.base.count, port.twin?.count ?? 0]).filter((count) => count > 0));
      const { chains } = await chainCounts(family);
      const found = chains.filter((name) => /^(lb|hash)-/.test(name)).length;
      if (found !== wanted.size) throw new Error(`${found} picker chains for ${wanted.size} counts: ${chains.join(' ')}`);
    }), { numRuns: 8, endOnFailure: true, includeErrorInReport: true });
    t.pass();
  });
}

async function fill(table: TableProgrammer, count: number): Promise<World> {
  const world = new World();
  for (let n = 0; n < count; n++) {
    world.apply({ kind: 'service', object: service(`s${n}`, [`10.96.${n >> 8}.${n & 255}`]) });
    world.apply({ kind: 'slice', object: slice(`s${n}-4`, `s${n}`, [2, 3, 4].map((last) => ({ address: `10.244.${n & 127}.${last}`, node: 'node1' }))) });
  }
  await table.sync([...world.services.keys()].map((key) => [key, world.desired(key, 'ip')] as const));
  return world;
}

test.serial('the number of chains and rules is the same with 1 and with 500 Services of one endpoint count', async (t) => {
  const table = programmer('ip');
  await table.remove();
  await table.start();
  await fill(table, 1);
  const one = await chainCounts('ip');
  await fill(table, 500);
  t.deepEqual(await chainCounts('ip'), one);
});

test.serial('a restart with 500 Services writes no row', async (t) => {
  const before = programmer('ip');
  await before.remove();
  await before.start();
  const world = await fill(before, 500);
  const after = programmer('ip');
  const { rows, suspicion } = await after.start();
  t.is(rows, (await kernelRows(before)).length);
  t.deepEqual(ROW_MAPS.filter((map) => suspicion.rowsOf(map) !== undefined), [], 'nothing of it is doubtful');
  t.is(await after.sync([...world.services.keys()].map((key) => [key, world.desired(key, 'ip')] as const)), 0);
  t.deepEqual(await after.audit(), { added: 0, removed: 0, changed: 0, rules: false, details: [] });
});

/** Rows that no proxy leaves, as transactions on the table of three Services: what a start takes over must not depend on its being sound. */
const unsound: readonly (readonly [string, (transaction: Transaction, rows: TableProgrammer['schema']['rows'], one: Row) => unknown])[] = [
  ['rows without a frontend', (transaction, rows) => transaction.addElement(rows.endpoint, 0x70, ['10.244.9.9', 80]).addElement(rows.slot, [0x8000_0033, 0], 0x70).addElement(rows.count, 0x8000_0033, 1)],
  ['an endpoint that no slot leads to', (transaction, rows) => transaction.addElement(rows.endpoint, 0x71, ['10.244.9.9', 80])],
  ['an id without its bit', (transaction, rows) => transaction.addElement(rows.count, 3, 2).addElement(rows.slot, [3, 0], 1)],
  ['a gap in the slots', (transaction, rows, one) => transaction.addElement(rows.slot, [Number(one.key[0]), 7], 1)],
  ['a slot of an endpoint that is not there', (transaction, rows, one) => transaction.addElement(rows.slot, [Number(one.key[0]), 3], 0x72)],
  ['one endpoint twice', (transaction, rows, one) => transaction.addElement(rows.endpoint, 0x73, ['10.244.0.2', 8080]).addElement(rows.slot, [Number(one.key[0]), 3], 0x73)],
  ['two time-outs of one port', (transaction, rows, one) => transaction.addElement(rows.sticky, Number(one.key[0]), 60).addElement(rows.sticky, Number(one.key[0]) + 0x4000_0000, 90)],
  ['a hairpin of two addresses', (transaction, rows) => transaction.addElement(rows.hairpin, ['10.244.0.2', '10.244.0.3'])],
  ['a frontend to a port that is not there', (transaction, rows) => transaction.addElement(rows.service, ['10.96.7.7', 'tcp', 80], 0x8100_0044)],
  ['sources, owners and keepers of nobody', (transaction, rows) => transaction.addElement(rows.owner, 0x74, 0x8000_0001).addElement(rows.live, [0x8000_0001, 0x74])],
];
for (const [what, change] of unsound) {
  test.serial(`${what} before a start: after it the table is that of a cold start, without an audit of everything`, async (t) => {
    const before = programmer('ip');
    await before.remove();
    await before.start();
    const world = await fill(before, 3);
    const slotRow = (await kernelRows(before)).find(({ map }) => map === 'slot')!;
    const transaction = new Transaction(before.schema.table);
    change(transaction, before.schema.rows, slotRow);
    await nft.commit(transaction);
    const after = programmer('ip');
    const { suspicion } = await after.start();
    await after.sync([...world.services.keys()].map((key) => [key, world.desired(key, 'ip')] as const));
    await after.removeAdopted();
    await after.audit(suspicion);
    await after.retire();
    t.deepEqual(canonical(await kernelRows(after)), coldStart(world, 'ip'));
    t.deepEqual(await after.audit(), { added: 0, removed: 0, changed: 0, rules: false, details: [] });
  });
}

const tampers: readonly (readonly [string, string])[] = [
  ['a flushed table', 'flush table ip podwire'],
  ['a deleted table', 'delete table ip podwire'],
  ['a foreign rule', 'insert rule ip podwire services tcp dport 22 accept'],
  ['a foreign chain', 'add chain ip podwire intruder'],
  ['a deleted element', 'delete element ip podwire count { 0x80000001 }'],
  ['a changed verdict', 'delete element ip podwire policies { 0x01000000 }'],
  ['a foreign frontend', 'add element ip podwire service { 10.96.9.9 . tcp . 80 : 0x81000001 }'],
  ['a changed Service CIDR', 'add element ip podwire svc-net { 172.16.0.0/12 }'],
];
for (const [what, command] of tampers) {
  test.serial(`${what} is put right by the audit, and only ours`, async (t) => {
    const table = programmer('ip');
    await table.remove();
    await table.start();
    const world = await fill(table, 20);
    await table.setConfig('svc-net', [{ first: 0x0a600000n, last: 0x0a60ffffn }]);
    await nft.loadRuleset('add table ip bystander\nadd chain ip bystander c\n');
    await runNft(['-f', '-'], `${command}\n`);
    await table.audit();
    t.deepEqual(canonical(await kernelRows(table)), coldStart(world, 'ip'));
    const again = await table.audit();
    t.deepEqual(again, { added: 0, removed: 0, changed: 0, rules: false, details: [] });
    t.is((await nft.list({ family: 'ip', name: 'bystander' })).chains.length, 1);
    t.deepEqual((await chainCounts('ip')).chains.filter((name) => name === 'intruder'), []);
  });
}

test.serial('a refused transaction is repaired by the next audit', async (t) => {
  const table = programmer('ip');
  await table.remove();
  await table.start();
  const world = await fill(table, 3);
  await nft.commit(new Transaction(table.schema.table).deleteElement(table.schema.rows.count, 0x8000_0001));
  world.apply({ kind: 'slice', object: slice('s0-4', 's0', [{ address: '10.244.0.2' }]) });
  await t.throwsAsync(table.sync([['default/s0', world.desired('default/s0', 'ip')]]), { message: /count.*0x80000001/ });
  await table.audit();
  await table.retire();
  t.deepEqual(canonical(await kernelRows(table)), coldStart(world, 'ip'));
});
