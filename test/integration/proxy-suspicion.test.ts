// What the kernel's monitor says of somebody else's transaction is enough to put it right: whatever was done to rows and rules, an
// audit of what it names leaves nothing for an audit of everything, and does not read the maps that grow.
import test from 'ava';
import fc from 'fast-check';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { unshareNetns } from '@podwire/netlink';
import { KernelNft, Transaction, runNft } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { ROW_MAPS, rowText } from '../../proxy/core/rows.ts';
import type { Row } from '../../proxy/core/rows.ts';
import { watchDrift } from '../../proxy/driver/drift.ts';
import type { Suspicions } from '../../proxy/driver/drift.ts';
import { elementValue, readRows } from '../../proxy/driver/kernel-rows.ts';
import { TableProgrammer } from '../../proxy/driver/table-programmer.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import { until } from '../../proxy/testing/netlab.ts';
import { World } from '../../proxy/testing/world.ts';

unshareNetns();
const nft = KernelNft.open();
const other = KernelNft.open();
test.after.always(() => {
  nft.close();
  other.close();
});
const RULES = { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 } as const;

/** The kernel's own, and a note of every map that is read whole. */
function noting(read: string[]): Nft {
  return {
    loadRuleset: (text, options) => nft.loadRuleset(text, options),
    commit: (transaction, options) => nft.commit(transaction, options),
    list: (table) => nft.list(table),
    elements(set, select) {
      if (typeof select !== 'object') read.push(set.name);
      return nft.elements(set, select);
    },
    generation: () => nft.generation(),
    monitor: (onEvent, signal) => nft.monitor(onEvent, signal),
  };
}

async function filled(family: 'ip' | 'ip6', read: string[]): Promise<TableProgrammer> {
  const table = new TableProgrammer(family, noting(read), RULES);
  await table.remove();
  await table.start();
  const world = new World();
  for (let n = 0; n < 12; n++) {
    const [vip, pod] = family === 'ip' ? [`10.96.0.${n + 1}`, '10.244.0'] : [`fd96::${n + 1}`, 'fd44:'];
    world.apply({ kind: 'service', object: service(`s${n}`, [vip], n % 3 === 0 ? { sessionAffinity: 'ClientIP' } : {}) });
    const backends = [2, 3, 4].slice(0, 1 + n % 3).map((last) => ({ address: `${pod}${family === 'ip' ? '.' : ':'}${n * 10 + last}`, node: 'node1' }));
    world.apply({ kind: 'slice', object: slice(`s${n}-x`, `s${n}`, backends) });
  }
  await table.setConfig('svc-net', family === 'ip' ? [{ first: 0x0a600000n, last: 0x0a60ffffn }] : []);
  await table.sync([...world.services.keys()].map((key) => [key, world.desired(key, family)] as const));
  return table;
}

async function rowsOf(table: TableProgrammer): Promise<Row[]> {
  const rows: Row[] = [];
  for (const map of ROW_MAPS) await readRows(nft, table.schema, map, (row) => rows.push(row));
  return rows.toSorted((a, b) => (rowText(a) < rowText(b) ? -1 : 1));
}

/** Waits for the watch to have told of the change; resolves with what it named. */
async function suspicionsAfter(table: TableProgrammer, change: () => Promise<void>): Promise<Suspicions> {
  const stop = new AbortController();
  try {
    let told: Suspicions | undefined;
    const watch = watchDrift(nft, [table.schema], stop.signal, (suspicions) => { told ??= suspicions; });
    table.onLoad = watch.whileLoading;
    await change();
    await until(() => told !== undefined, 'the watch');
    return told ?? new Map();
  } finally {
    stop.abort();
    await nextTurn();
  }
}

const tampering = fc.array(fc.record({ kind: fc.constantFrom('delete', 'replace', 'add'), at: fc.nat(10_000) }), { minLength: 1, maxLength: 12 });
const GROWING: ReadonlySet<string> = new Set(['service', 'node-port', 'count', 'slot', 'endpoint', 'sticky', 'owner', 'live', 'svc-ip', 'hairpin']);

/** Deletes rows, gives them another row's data, adds rows under keys that nobody uses: as one transaction. */
async function tamper(table: TableProgrammer, steps: readonly { kind: string; at: number }[]): Promise<void> {
  const rows = (await rowsOf(table)).filter(({ map }) => GROWING.has(map));
  const transaction = new Transaction(table.schema.table);
  const used = new Set<Row>();
  for (const { kind, at } of steps) {
    const row = rows[at % rows.length];
    if (row === undefined || used.has(row)) continue;
    used.add(row);
    const set = table.schema.rows[row.map];
    const otherData = rows.find((one) => one.map === row.map && one.data?.join() !== row.data?.join())?.data;
    if (kind === 'add') {
      if (!row.key.every((field) => typeof field === 'number')) continue;
      transaction.addElement(set, elementValue(row.key.map((field) => field + 0x0077_0000)), row.data === undefined ? undefined : elementValue(row.data));
    } else {
      transaction.deleteElement(set, elementValue(row.key));
      if (kind === 'replace' && otherData !== undefined) transaction.addElement(set, elementValue(row.key), elementValue(otherData));
    }
  }
  await other.commit(transaction.length > 0 ? transaction : transaction.deleteElement(table.schema.rows['svc-ip'], elementValue(rows.find(({ map }) => map === 'svc-ip')?.key ?? [])));
}

const NOTHING = { added: 0, removed: 0, changed: 0, rules: false, details: [] };

for (const family of ['ip', 'ip6'] as const) {
  test.serial(`rows that somebody changed in ${family} podwire are put right from what the monitor names, without reading the maps`, async (t) => {
    const read: string[] = [];
    const table = await filled(family, read);
    await fc.assert(fc.asyncProperty(tampering, async (steps) => {
      const suspicions = await suspicionsAfter(table, () => tamper(table, steps));
      read.length = 0;
      const repair = await table.audit(suspicions.get(family));
      if (read.some((name) => GROWING.has(name))) throw new Error(`read whole: ${read.join(' ')}`);
      if (repair.added + repair.removed + repair.changed === 0) throw new Error('nothing was put right');
      const after = await table.audit();
      if (JSON.stringify(after) !== JSON.stringify(NOTHING)) throw new Error(`left over: ${JSON.stringify(after)}`);
    }), { numRuns: 25, endOnFailure: true, includeErrorInReport: true });
    t.pass();
  });

  for (const [what, command] of [
    ['flushed rules', 'flush table FAMILY podwire'],
    ['a rule of a picker replaced by one that drops', 'flush chain FAMILY podwire lb-2\nadd rule FAMILY podwire lb-2 drop'],
    ['a picker that leads elsewhere', 'delete element FAMILY podwire pickers { 2 }\nadd element FAMILY podwire pickers { 2 : jump lb-3 }'],
    ['a changed policy', 'delete element FAMILY podwire policies { 0x01000000 }'],
    ['a foreign chain', 'add chain FAMILY podwire intruder'],
  ] as const) {
    test.serial(`${what} in ${family} podwire: rules are written anew, rows are not read`, async (t) => {
      const read: string[] = [];
      const table = await filled(family, read);
      const rows = await rowsOf(table);
      const suspicions = await suspicionsAfter(table, () => other.loadRuleset(`${command.replaceAll('FAMILY', family)}\n`));
      read.length = 0;
      const repair = await table.audit(suspicions.get(family));
      t.true(repair.rules);
      t.deepEqual(read.filter((name) => GROWING.has(name)), []);
      t.deepEqual(await rowsOf(table), rows);
      t.deepEqual(await table.audit(), NOTHING);
      t.regex(await runNft(['list', 'chain', family, 'podwire', 'lb-2'], ''), /numgen random mod 2/);
      t.regex(await runNft(['list', 'map', family, 'podwire', 'pickers'], ''), /0x00000002 : jump lb-2/);
    });
  }

  test.serial(`a flushed map of ${family} podwire, a Service CIDR and an affinity`, async (t) => {
    const read: string[] = [];
    const table = await filled(family, read);
    const rows = await rowsOf(table);
    const flushed = await suspicionsAfter(table, () => other.loadRuleset(`flush map ${family} podwire slot\n`));
    t.is((await table.audit(flushed.get(family))).added, rows.filter(({ map }) => map === 'slot').length);
    const client = family === 'ip' ? '10.1.1.1' : 'fd01::1';
    const net = family === 'ip' ? '172.16.0.0/12' : 'fd00:77::/64';
    // A client's affinity is nobody's row: that of the CIDR is the first thing told.
    const opened = await suspicionsAfter(table, async () => {
      await other.loadRuleset(`add element ${family} podwire affinity { 0x1 . ${client} : 0x2 }\n`);
      await other.loadRuleset(`add element ${family} podwire svc-net { ${net} }\n`);
    });
    const repair = await table.audit(opened.get(family));
    t.like(repair, { added: 0, removed: 0, changed: 0, rules: false });
    t.is(repair.details.length, 1);
    t.deepEqual(await table.audit(), NOTHING);
  });
}
