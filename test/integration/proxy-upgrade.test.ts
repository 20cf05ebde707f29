// An upgrade, and a proxy that ends in the middle of one: tables of another layout are replaced, rules of ours are rewritten, and no
// packet finds a moment without rules. Connections that stand stay.
import { execFileSync } from 'node:child_process';
import test from 'ava';
import { KernelNft, runNft } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import { TableProgrammer } from '../../proxy/driver/table-programmer.ts';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';
import { World } from '../../proxy/testing/world.ts';

/** What an older Podwire might have left: the same names, other types, a rule that is no longer there. One endpoint, pod b. */
function olderTable(family: 'ip' | 'ip6'): string {
  const [address, vip, pod, pods, bit] = family === 'ip' ? ['ipv4_addr', '10.96.0.10', ADDRESSES.b[0], '10.244.0.0/16', '0x4000'] : ['ipv6_addr', 'fd96::10', ADDRESSES.b[1], 'fd44::/16', '0x4000'];
  const rows = ['tcp', 'udp'].map((protocol) => `${vip} . ${protocol} . 80 : ${pod} . 8080`).join(', ');
  return `add table ${family} podwire
delete table ${family} podwire
table ${family} podwire {
	comment "layout 00000000"
	map service { type ${address} . inet_proto . inet_service : ${address} . inet_service; elements = { ${rows} }; }
	set older { type mark; }
	chain prerouting { type nat hook prerouting priority -100; jump services; }
	chain output { type nat hook output priority -100; jump services; }
	chain services {
		${family} saddr != ${pods} ${family} daddr . meta l4proto . th dport @known meta mark set ${bit}
		meta l4proto { tcp, udp } dnat ${family} addr . port to ${family} daddr . meta l4proto . th dport map @service
	}
	set known { type ${address} . inet_proto . inet_service; elements = { ${vip} . tcp . 80, ${vip} . udp . 80 }; }
	chain postrouting { type nat hook postrouting priority 100; meta mark and ${bit} != 0 masquerade; }
}
`;
}

let harness: Harness;
test.before(async () => {
  harness = await createHarness();
  const { api } = harness;
  api.put(resources.services, service('web', ['10.96.0.10', 'fd96::10']));
  for (const family of [0, 1] as const) {
    api.put(resources.endpointSlices, slice(`web-${family === 0 ? 4 : 6}`, 'web', [{ address: ADDRESSES.b[family], node: 'node1' }, { address: ADDRESSES.c[family], node: 'node2' }]));
  }
  await harness.synced();
});
test.after.always(async () => { await harness[Symbol.asyncDispose](); });

const tables = async (): Promise<string> => runNft(['list', 'tables'], '');
const layouts = async (): Promise<string[]> => [...(await runNft(['list', 'ruleset'], '')).matchAll(/comment "(layout [0-9a-f]{8})"/g)].map((match) => match[1] ?? '');

/** Runs `during` while pods, the node and the world connect again and again, and says what failed. */
async function underLoad(during: () => Promise<void>): Promise<{ failures: string[]; replies: number }> {
  const { a, node1, outside } = harness.lab;
  await a.load({ protocol: 'tcp', host: '10.96.0.10', port: 80, timeoutMs: 5000 }, 3);
  await node1.load({ protocol: 'udp', host: 'fd96::10', port: 80, timeoutMs: 5000 }, 5);
  await outside.load({ protocol: 'tcp', host: 'fd96::10', port: 80, timeoutMs: 5000 }, 5);
  await during();
  const results = await Promise.all([a, node1, outside].map((probe) => probe.unload()));
  return { failures: results.flatMap((one) => one.failures), replies: results.flatMap((one) => Object.values(one.replies)).reduce((sum, one) => sum + one, 0) };
}

test.serial('a table of another layout is replaced under load: no connection fails, those that stand go on, nothing is left over', async (t) => {
  const { a, outside } = harness.lab;
  const now = await layouts();
  await harness.proxy.stop();
  // The switch to the older table is the test's own doing: one transaction per family, and one that serves.
  await runNft(['-f', '-'], `${olderTable('ip')}${olderTable('ip6')}`);
  for (const [probe, host] of [[a, '10.96.0.10'], [a, 'fd96::10'], [outside, '10.96.0.10'], [outside, 'fd96::10']] as const) await probe.hold({ protocol: 'tcp', host, port: 80, count: 2 });
  const before = [await a.exchange(), await outside.exchange()];
  t.true(before.flat().every((reply) => reply.startsWith('b|')), before.join());
  const { failures, replies } = await underLoad(async () => { await harness.restart(); });
  t.deepEqual(failures, []);
  t.true(replies > 0);
  t.deepEqual([await a.exchange(), await outside.exchange()], before, 'the same endpoint, seen with the same address');
  t.deepEqual(await layouts(), now);
  t.deepEqual((await tables()).trim().split('\n').sort(), ['table ip podwire', 'table ip6 podwire']);
  for (const host of ['10.96.0.10', 'fd96::10']) t.deepEqual((await harness.ask({ from: a, protocol: 'tcp', host, port: 80 })).map((reply) => reply.split('|')[0]), ['b', 'c']);
});

test.serial('rules that differ are rewritten under load, and connections that stand go on', async (t) => {
  const { a, outside } = harness.lab;
  const before = [await a.exchange(), await outside.exchange()];
  const { failures } = await underLoad(async () => {
    for (const masqueradeBit of [9, 14]) await harness.restart({ masqueradeBit });
  });
  t.deepEqual(failures, []);
  t.deepEqual([await a.exchange(), await outside.exchange()], before);
});

/** The kernel, until the `limit`-th change: that one and all later ones are refused, as for a process that has ended. */
class EndingNft implements Pick<Nft, 'loadRuleset' | 'commit' | 'list' | 'elements' | 'generation' | 'monitor'> {
  readonly #nft: KernelNft;
  #left: number;
  constructor(nft: KernelNft, limit: number) { this.#nft = nft; this.#left = limit; }
  loadRuleset: Nft['loadRuleset'] = (...of) => this.#change(() => this.#nft.loadRuleset(...of));
  commit: Nft['commit'] = (...of) => this.#change(() => this.#nft.commit(...of));
  list: Nft['list'] = (...of) => this.#nft.list(...of);
  elements: Nft['elements'] = (...of) => this.#nft.elements(...of);
  generation: Nft['generation'] = () => this.#nft.generation();
  monitor: Nft['monitor'] = (...of) => this.#nft.monitor(...of);
  #change(run: () => Promise<void>): Promise<void> {
    return --this.#left > 0 ? run() : Promise.reject(new Error('the process has ended'));
  }
}

const range = (first: string, size: bigint): { first: bigint; last: bigint } => ({ first: BigInt(first), last: BigInt(first) + size - 1n });
const RULES = { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 } as const;
const CONFIG = { 'svc-net': range('0x0a600000', 0x10000n), 'pod-net': range('0x0af40000', 0x10000n), 'node-ip': range('0xc0a84d01', 1n) } as const;

/** As the proxy does it: the rules, the networks, every Service. */
async function run(nft: Nft, world: World): Promise<void> {
  const table = new TableProgrammer('ip', nft, RULES);
  await table.start();
  for (const set of ['svc-net', 'pod-net', 'node-ip'] as const) await table.setConfig(set, [CONFIG[set]]);
  await table.sync([...world.services.keys()].map((key) => [key, world.desired(key, 'ip')] as const));
  await table.removeAdopted();
  await table.audit();
}

/** Services web, s1, s2 ...; the first is the one that packets go to. */
function worldOf(count: number, pod: 'b' | 'c'): World {
  const world = new World();
  for (let n = 0; n < count; n++) {
    const name = n === 0 ? 'web' : `s${n}`;
    world.apply({ kind: 'service', object: service(name, [`10.96.0.${10 + n}`]) });
    world.apply({ kind: 'slice', object: slice(`${name}-4`, name, [{ address: ADDRESSES[pod][0], node: pod === 'b' ? 'node1' : 'node2' }]) });
  }
  return world;
}

const starts: readonly (readonly [what: string, prepare: (nft: Nft) => Promise<void>, isServing: boolean])[] = [
  ['a table of another layout', () => runNft(['-f', '-'], olderTable('ip')).then(() => undefined), true],
  ['a table of ours with other rows', async (nft) => {
    await nft.loadRuleset('add table ip podwire\ndelete table ip podwire\n');
    await run(nft, worldOf(60, 'c'));
  }, true],
  ['no table at all', (nft) => nft.loadRuleset('add table ip podwire\ndelete table ip podwire\n'), false],
];
/** What an answer that did not come is to be explained from. */
async function circumstances(ask: () => Promise<string[]>): Promise<string> {
  const told = (...command: [string, ...string[]]): string => execFileSync(command[0], command.slice(1), { encoding: 'utf8' });
  return [`asked again: ${(await ask()).join()}`, await runNft(['list', 'ruleset'], ''), told('conntrack', '-S'), told('conntrack', '-L', '-d', '10.96.0.10'), told('ip', 'neigh'), told('sysctl', 'net.bridge.bridge-nf-call-iptables')].join('\n');
}

for (const [what, prepare, isServing] of starts) {
  test.serial(`a start over ${what} that ends at any of its steps is finished by the next one, and packets are served meanwhile`, async (t) => {
    await harness.proxy.stop();
    const world = worldOf(40, 'b');
    const nft = KernelNft.open();
    const ask = async (): Promise<string[]> => [...new Set((await harness.lab.a.ask({ protocol: 'tcp', host: '10.96.0.10', port: 80, count: 3 })).map((reply) => reply.split('|')[0] ?? ''))];
    const served = async (when: string): Promise<void> => {
      if (isServing) for (const name of await ask()) t.true(name === 'b' || name === 'c', `${when}: ${name}`);
    };
    try {
      let limit = 0;
      for (let isDone = false; !isDone;) {
        await prepare(nft);
        await run(new EndingNft(nft, ++limit), world).then(() => { isDone = true; }, () => undefined);
        await served(`ended at step ${limit}`);
        if (limit % 3 === 0) await run(new EndingNft(nft, 4), world).catch(() => undefined); // and once more, early
        await served(`ended at step ${limit} and again`);
        await run(nft, world);
        const answers = await ask();
        t.deepEqual(answers, ['b'], `finished after step ${limit}${answers.join() === 'b' ? '' : await circumstances(ask)}`);
        t.is((await tables()).trim().split('\n').filter((line) => line.startsWith('table ip ')).join(), 'table ip podwire');
        const again = new TableProgrammer('ip', nft, RULES);
        t.true((await again.start()).rows > 80);
        t.is([...again.state.fronts.rows()].length, 80, 'every frontend is there to be taken over');
        t.is(await again.sync([...world.services.keys()].map((key) => [key, world.desired(key, 'ip')] as const)), 0);
      }
      t.true(limit > 3, `${limit} steps`);
    } finally {
      nft.close();
      await harness.restart();
    }
  });
}

test.serial('--cleanup takes away what an upgrade that was cut short has left', async (t) => {
  await harness.proxy.stop();
  await runNft(['-f', '-'], 'add table ip podwire-next\nadd table ip6 podwire-next\nadd table inet bystander\n');
  const nft = KernelNft.open();
  for (const family of ['ip', 'ip6'] as const) await new TableProgrammer(family, nft, RULES).remove();
  nft.close();
  t.is((await tables()).trim(), 'table inet bystander');
  await harness.restart();
});
