// Somebody else changes the table while the proxy runs: noticed through the kernel's monitor, put right, counted, said; other tables are
// left alone. Nobody asks for an audit here.
import test from 'ava';
import { KernelNft, runNft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import { TableState } from '../../proxy/core/table-state.ts';
import { ROW_MAPS } from '../../proxy/core/rows.ts';
import type { Row } from '../../proxy/core/rows.ts';
import { readRows } from '../../proxy/driver/kernel-rows.ts';
import { ADDRESSES, until } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import { RowTable, canonical } from '../../proxy/testing/row-table.ts';
import { World } from '../../proxy/testing/world.ts';

let harness: Harness;
let nft: KernelNft;
const world = new World();
const put = (name: string, cluster: readonly string[], slices: Readonly<Record<string, readonly string[]>>): void => {
  const object = service(name, cluster);
  world.apply({ kind: 'service', object });
  harness.api.put(resources.services, object);
  for (const [suffix, addresses] of Object.entries(slices)) {
    const part = slice(`${name}-${suffix}`, name, addresses.map((address) => ({ address, node: 'node1' })));
    world.apply({ kind: 'slice', object: part });
    harness.api.put(resources.endpointSlices, part);
  }
};

test.before(async () => {
  harness = await createHarness();
  nft = KernelNft.open();
  put('drift', ['10.96.3.1', 'fd96::3:1'], { 4: [ADDRESSES.b[0]], 6: [ADDRESSES.b[1]] });
  await harness.synced();
  await runNft(['-f', '-'], BYSTANDERS);
});
test.after.always(async () => {
  nft.close();
  await harness[Symbol.asyncDispose]();
});

/** One that looks like ours from afar. */
const BYSTANDERS = `table inet podwire {
	set service { type ipv4_addr; elements = { 10.96.3.1 }; }
	chain services { ip daddr @service counter comment "theirs"; }
}
table ip podwire-cni { chain input { type filter hook input priority 0; policy accept; }; }
table ip6 other { map endpoint { type mark : mark; elements = { 1 : 2 }; }; }
`;
const bystanders = async (): Promise<string> => {
  const texts = ['inet podwire', 'ip podwire-cni', 'ip6 other'].map((name) => runNft(['-a', 'list', 'table', ...name.split(' ')], ''));
  return (await Promise.all(texts)).join('').replaceAll(/packets \d+ bytes \d+/g, '');
};

async function kernelRows(family: 'ip' | 'ip6'): Promise<Row[]> {
  const table = harness.proxy.tables.find((one) => one.family === family);
  if (table === undefined) throw new Error(`no table for ${family}`);
  const rows: Row[] = [];
  for (const map of ROW_MAPS) await readRows(nft, table.schema, map, (row) => rows.push(row));
  return rows;
}

function coldStart(family: 'ip' | 'ip6'): string[] {
  const state = new TableState(family);
  const table = new RowTable();
  for (const key of world.services.keys()) state.update(key, world.desired(key, family), table);
  return canonical(table.rows.values());
}

async function counted(family: 'ip' | 'ip6'): Promise<Record<string, number>> {
  const text = await harness.proxy.metricsText();
  const label = family === 'ip' ? 'IPv4' : 'IPv6';
  const kinds = [...text.matchAll(new RegExp(`podwire_proxy_drift_repairs_total\\{ip_family="${label}",kind="([a-z-]+)"\\} (\\d+)`, 'g'))];
  return Object.fromEntries(kinds.map(([, kind = '', value]) => [kind, Number(value)]));
}

/** Rules without handles and counters, which a rewrite changes. */
const rulesOf = async (family: 'ip' | 'ip6'): Promise<string> => (await runNft(['--terse', 'list', 'table', family, 'podwire'], '')).replaceAll(/counter packets.*$/gm, '');

/** The first id of a map, as the kernel lists it: rows have ids that a test cannot know. */
async function firstRow(family: 'ip' | 'ip6', map: 'count' | 'slot' | 'endpoint'): Promise<string> {
  const row = (await kernelRows(family)).find((one) => one.map === map);
  return row?.key.map((part) => `0x${Number(part).toString(16).padStart(8, '0')}`).join(' . ') ?? '';
}

type Tamper = readonly [what: string, command: (family: 'ip' | 'ip6') => string | Promise<string>, kind: 'row-missing' | 'row-foreign' | 'row-changed' | 'rules'];
const vip = (family: 'ip' | 'ip6'): string => (family === 'ip' ? '10.96.3.1' : 'fd96::3:1');
const tampers: readonly Tamper[] = [
  ['a flushed table', (family) => `flush table ${family} podwire`, 'rules'],
  ['a deleted table', (family) => `delete table ${family} podwire`, 'row-missing'],
  ['a table deleted and made anew, empty', (family) => `delete table ${family} podwire; add table ${family} podwire`, 'row-missing'],
  ['a flushed map', (family) => `flush map ${family} podwire endpoint`, 'row-missing'],
  ['a deleted cluster IP', (family) => `delete element ${family} podwire svc-ip { ${vip(family)} }`, 'row-missing'],
  ['a deleted frontend', (family) => `delete element ${family} podwire service { ${vip(family)} . tcp . 80 }`, 'row-missing'],
  ['a deleted count', async (family) => `delete element ${family} podwire count { ${await firstRow(family, 'count')} }`, 'row-missing'],
  ['a deleted slot', async (family) => `delete element ${family} podwire slot { ${await firstRow(family, 'slot')} }`, 'row-missing'],
  ['a changed endpoint', async (family) => {
    const id = await firstRow(family, 'endpoint');
    return `delete element ${family} podwire endpoint { ${id} }; add element ${family} podwire endpoint { ${id} : ${family === 'ip' ? '203.0.113.1' : '2001:db8::1'} . 9 }`;
  }, 'row-changed'],
  ['a foreign frontend', (family) => `add element ${family} podwire service { ${family === 'ip' ? '10.96.9.9' : 'fd96::9:9'} . tcp . 80 : 0x81000001 }`, 'row-foreign'],
  ['a foreign rule', (family) => `insert rule ${family} podwire services drop`, 'rules'],
  ['a foreign chain with a hook', (family) => `add chain ${family} podwire intruder { type filter hook forward priority 0; policy drop; }`, 'rules'],
  ['a changed policy', (family) => `delete element ${family} podwire policies { 0x01000000 }`, 'rules'],
];

for (const family of ['ip', 'ip6'] as const) {
  for (const [what, command, kind] of tampers) {
    test.serial(`${what} (${family}) is noticed, put right, counted and said; other tables stay as they are`, async (t) => {
      await harness.synced();
      const before = { bystanders: await bystanders(), rules: await rulesOf(family), counted: await counted(family) };
      harness.warnings.length = 0;
      await runNft(['-f', '-'], `${(await command(family)).replaceAll('; ', '\n')}\n`);
      const said = `table ${family} podwire had been changed by somebody else`;
      await until(() => harness.warnings.some((text) => text.startsWith(said)), 'the repair');
      await harness.proxy.waitForSync();
      t.deepEqual(canonical(await kernelRows(family)), coldStart(family));
      t.is(await rulesOf(family), before.rules);
      t.is(await bystanders(), before.bystanders);
      t.true(((await counted(family))[kind] ?? 0) > (before.counted[kind] ?? 0), `${kind} is counted`);
      t.deepEqual(harness.warnings.filter((text) => !text.startsWith(said)), [], 'nothing else is said');
      const ask = { from: harness.lab.a, protocol: 'tcp', host: vip(family), port: 80, count: 2 } as const;
      t.deepEqual(await harness.ask(ask), [`b|${ADDRESSES.a[family === 'ip' ? 0 : 1]}`]);
    });
  }
}

test.serial('changes of other tables are no drift', async (t) => {
  await harness.synced();
  harness.warnings.length = 0;
  const detected = async (): Promise<string> => /podwire_proxy_drift_detected_total (\d+)/.exec(await harness.proxy.metricsText())?.[1] ?? '0';
  const before = await detected();
  await runNft(['-f', '-'], 'add element inet podwire service { 10.1.2.3 }\nflush chain inet podwire services\ndelete table ip6 other\n');
  put('drift', ['10.96.3.1', 'fd96::3:1'], { 4: [ADDRESSES.b[0], ADDRESSES.a[0]], 6: [ADDRESSES.b[1]] });
  await harness.synced();
  // The monitor has seen all of it once it has seen a later change.
  await runNft(['-f', '-'], 'delete element ip podwire svc-ip { 10.96.3.1 }\n');
  await until(() => harness.warnings.length > 0, 'the repair');
  await harness.proxy.waitForSync();
  t.is(Number(await detected()), Number(before) + 1);
  t.is(harness.warnings.length, 1);
});

test.serial('a lost table of 2,000 Services comes back whole', async (t) => {
  await harness.proxy.stop();
  for (let n = 0; n < 2000; n++) put(`many-${n}`, [`10.96.${32 + (n >> 8)}.${n & 255}`], { 4: [`10.244.${n & 127}.10`, `10.244.${n & 127}.11`] });
  await harness.restart();
  for (const command of ['delete table ip podwire', 'flush ruleset']) {
    harness.warnings.length = 0;
    await runNft(['-f', '-'], `${command}\n`);
    await until(() => harness.warnings.some((text) => text.startsWith('table ip podwire had been changed')), `the repair after ${command}`, 30_000);
    await harness.proxy.waitForSync();
    t.deepEqual(canonical(await kernelRows('ip')), coldStart('ip'), command);
  }
  t.deepEqual(canonical(await kernelRows('ip6')), coldStart('ip6'));
});
