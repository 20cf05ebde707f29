// One measurement process in a namespace of its own: cold start of N Services x 10, its floor, and every kind of change.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { unshareNetns } from '@podwire/netlink';
import { KernelNft, Transaction, runNft } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { startProxy } from '../driver/proxy.ts';
import type { ProxyHandle } from '../driver/proxy.ts';
import type { TableProgrammer } from '../driver/table-programmer.ts';
import { GcWatch } from './gc-watch.ts';
import { benchNode, benchService, benchSlice, range, stubClient } from './stub-client.ts';
import type { StubClient } from './stub-client.ts';

export interface Latencies { readonly p50: number; readonly p99: number; readonly max: number }
export interface LoadResult { readonly services: number; readonly coldMs: number; readonly floorMs: number; readonly changes: Readonly<Record<string, Latencies>>; readonly idle?: IdleResult; readonly stream?: StreamResult; readonly rolling?: Latencies; readonly repairs: Readonly<Record<string, number>>; readonly rssMiB: number; /** A second proxy over the rows of the first. */ readonly restartMs?: number }

export interface IdleResult { readonly changes: Latencies; readonly floor: Latencies }
/** All changes of the stream, from the first to the last: what lies between the measured moments counts too, the garbage collector's work above all. */
export interface StreamResult { readonly eachMs: number; readonly gcEachMs: number; readonly gcLongestMs: number }

const IDLE_SAMPLES = 60;
const IDLE_MS = 50;
const FLOOR_ID = 0x3f00_0000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Changes of each kind before the first that counts: the compiler takes that many to make good code of what a start has not run. */
const WARM_UP = 300;
const quiet = { info: () => undefined, warn: (_fields: object, text: string) => process.stderr.write(`${text}\n`), error: (_fields: object, text: string) => process.stderr.write(`${text}\n`) };

export function summary(values: readonly number[]): Latencies {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Hands everything through; remembers transactions while `kept` is there, tells when one is done. */
function spy(nft: Nft): Nft & { kept: Transaction[] | undefined; onCommit: ((at: number) => void) | undefined } {
  const wrapped: Nft & { kept: Transaction[] | undefined; onCommit: ((at: number) => void) | undefined } = {
    kept: undefined,
    onCommit: undefined,
    loadRuleset: (text, options) => nft.loadRuleset(text, options),
    async commit(transaction, options) {
      if (transaction.length === 0) return;
      wrapped.kept?.push(transaction);
      await nft.commit(transaction, options);
      wrapped.onCommit?.(performance.now());
    },
    list: (table) => nft.list(table),
    elements: (set, visit) => nft.elements(set, visit),
    generation: () => nft.generation(),
    monitor: (onEvent, signal) => nft.monitor(onEvent, signal),
  };
  return wrapped;
}

async function floorOf(nft: Nft, kept: readonly Transaction[], reload: () => Promise<void>): Promise<number> {
  await reload();
  return timeOf(async () => {
    for (const transaction of kept) await nft.commit(transaction);
  });
}

interface Changes { readonly inStream: Readonly<Record<string, Latencies>>; readonly idle: IdleResult; readonly stream: StreamResult }

/** From the watch event to the kernel's acknowledgement: each kind of change in a stream of them, then replacements after idleness. */
async function changesOf(client: StubClient, count: number, samples: number, nft: ReturnType<typeof spy>, table: TableProgrammer): Promise<Changes> {
  const one = (push: () => void): Promise<number> => new Promise((resolve) => {
    const before = performance.now();
    nft.onCommit = (at) => {
      nft.onCommit = undefined;
      resolve(at - before);
    };
    push();
  });
  const kinds: Record<string, number[]> = { 'endpoint replaced': [], 'scaled up': [], 'scaled down': [], 'Service created': [], 'Service deleted': [] };
  const slices = (type: 'ADDED' | 'MODIFIED' | 'DELETED', n: number, keys: readonly number[]): void => client.push('endpointslices', { type, object: benchSlice(n, keys) });
  using gc = new GcWatch();
  let since = 0;
  for (let sample = 0; sample < WARM_UP + samples; sample++) {
    if (sample === WARM_UP) {
      for (const list of Object.values(kinds)) list.length = 0;
      gc.reset();
      since = performance.now();
    }
    const n = (sample * 7919) % count;
    const newcomer = 10 + (sample % 7);
    const service = benchService(count + sample);
    const record = async (kind: string, push: () => void): Promise<void> => {
      kinds[kind]?.push(await one(push));
      await nextTurn();
    };
    await record('endpoint replaced', () => slices('MODIFIED', n, [...range(9), newcomer]));
    await record('scaled up', () => slices('MODIFIED', n, [...range(9), newcomer, 20]));
    await record('scaled down', () => slices('MODIFIED', n, [...range(9), newcomer]));
    slices('ADDED', count + sample, range(10));
    await record('Service created', () => client.push('services', { type: 'ADDED', object: service }));
    await record('Service deleted', () => client.push('services', { type: 'DELETED', object: service }));
    slices('DELETED', count + sample, range(10));
    await nextTurn();
  }
  const changesMade = samples * Object.keys(kinds).length;
  const stream = { eachMs: (performance.now() - since) / changesMade, gcEachMs: gc.time.totalMs / changesMade, gcLongestMs: gc.time.longestMs };
  const inStream = Object.fromEntries(Object.entries(kinds).map(([kind, values]) => [kind, summary(values)]));
  const [changes, floor]: [number[], number[]] = [[], []];
  for (let sample = 0; sample < IDLE_SAMPLES; sample++) {
    await pause(IDLE_MS);
    changes.push(await one(() => slices('MODIFIED', sample, [...range(9), 30 + (sample % 7)])));
    await pause(IDLE_MS);
    floor.push(await one(() => void nft.commit(bareReplacement(table, sample))));
  }
  await nft.commit(new Transaction(table.schema.table).deleteElement(table.schema.rows.endpoint, FLOOR_ID + IDLE_SAMPLES));
  return { inStream, stream, idle: { changes: summary(changes), floor: summary(floor) } };
}

/** What the kernel must do at least for a replaced endpoint: one row comes, one goes. Ids that no endpoint has. */
function bareReplacement({ schema }: TableProgrammer, step: number): Transaction {
  const transaction = new Transaction(schema.table).addElement(schema.rows.endpoint, FLOOR_ID + step + 1, ['10.200.0.1', 80]);
  return step === 0 ? transaction : transaction.deleteElement(schema.rows.endpoint, FLOOR_ID + step);
}

/** 100 endpoints replaced within one second: how long each waits for the kernel. */
async function rollingOf(client: StubClient, nft: ReturnType<typeof spy>): Promise<Latencies> {
  const latencies: number[] = [];
  const pushed: number[] = [];
  nft.onCommit = (at) => { for (const before of pushed.splice(0)) latencies.push(at - before); };
  for (let step = 0; step < 100; step++) {
    pushed.push(performance.now());
    client.push('endpointslices', { type: 'MODIFIED', object: benchSlice(5, [...range(9), 12 + (step % 40)]) });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  nft.onCommit = undefined;
  return summary(latencies);
}

/** `nft` does what somebody else might; how long until the proxy says that it is put right, in ms. */
async function repairsOf(repaired: { onRepair: (() => void) | undefined }, endpointId: number): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const [what, command] of [['a deleted element', `delete element ip podwire endpoint { 0x${endpointId.toString(16)} }`], ['flushed rules', 'flush table ip podwire'], ['a lost table', 'delete table ip podwire']] as const) {
    const done = new Promise<void>((resolve) => { repaired.onRepair = resolve; });
    const before = performance.now(); // the time of nft's own process is in it
    await runNft(['-f', '-'], `${command}\n`);
    await done;
    times[what] = performance.now() - before;
    await pause(200);
  }
  return times;
}

async function timeOf(run: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

async function measure(count: number, samples: number): Promise<LoadResult> {
  unshareNetns();
  const ten = range(10);
  const client = stubClient({ services: { count, make: benchService }, endpointslices: { count, make: (n) => benchSlice(n, ten) }, nodes: { count: 1, make: () => benchNode } });
  const kernel = KernelNft.open();
  const nft = spy(kernel);
  nft.kept = [];
  const before = performance.now();
  const repaired: { onRepair: (() => void) | undefined } = { onRepair: undefined };
  const log = { ...quiet, warn: (fields: object, text: string) => (text.endsWith('; repaired') ? repaired.onRepair?.() : quiet.warn(fields, text)) };
  const start = (): Promise<ProxyHandle> => startProxy({ client, nodeName: 'node-0', log, nft, config: { families: ['ip'], clusterCIDRs: ['10.128.0.0/10'], healthzBindAddress: '', metricsBindAddress: '' } });
  const proxy = await start();
  await proxy.waitForSync();
  const coldMs = performance.now() - before;
  const kept = nft.kept;
  nft.kept = undefined;
  const [table] = proxy.tables;
  const changes = samples === 0 || table === undefined ? undefined : await changesOf(client, count, samples, nft, table);
  const rolling = samples === 0 ? undefined : await rollingOf(client, nft);
  const rssMiB = process.memoryUsage.rss() / 2 ** 20;
  const [endpoint] = table?.state.portsOf('bench/svc-0')[0]?.endpoints.values() ?? [];
  const repairs = count === 1000 || samples > 0 ? await repairsOf(repaired, endpoint?.id ?? 0) : {};
  await proxy.stop();
  const restartMs = samples === 0 ? undefined : await timeOf(async () => {
    const again = await start();
    await again.waitForSync();
    await again.stop();
  });
  const floorMs = table === undefined ? Number.NaN : await floorOf(kernel, kept, async () => {
    await table.remove();
    await table.start();
  });
  kernel.close();
  return { services: count, coldMs, floorMs, changes: changes?.inStream ?? {}, repairs, rssMiB, ...(changes === undefined ? {} : { idle: changes.idle, stream: changes.stream }), ...(rolling === undefined ? {} : { rolling }), ...(restartMs === undefined ? {} : { restartMs }) };
}

const [countText, samplesText] = process.argv.slice(2);
const result = await measure(Number(countText), Number(samplesText));
process.stdout.write(JSON.stringify(result));
process.exit(0);
