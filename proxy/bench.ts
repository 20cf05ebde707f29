// npm run bench -- proxy: the speed table of the proxy, on the real kernel in private namespaces. Each measurement runs in a process
// of its own. The floor is the same netlink bytes sent by a loop. The peer is the real kube-proxy, where `npm run peers` has built it: both run
// as programs against a real kube-apiserver; kube-proxy takes minutes beyond 5,000 Services and is left out there.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadResult } from './bench/load-child.ts';
import type { MemoryResult } from './bench/memory-child.ts';
import type { PacketResult } from './bench/packets-child.ts';
import { median } from './bench/packet-measures.ts';
import { peerRows } from './bench/peer-rows.ts';
import type { PeersResult } from './bench/peers-child.ts';
import type { BenchResult } from './bench/result.ts';
import { absence } from '../scripts/peers/binaries.ts';

export interface BenchReport { readonly bench: string; readonly results: readonly BenchResult[] }

const run1 = promisify(execFile);

async function child<T>(file: string, ...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await run1(process.execPath, [new URL(`bench/${file}`, import.meta.url).pathname, ...args], { maxBuffer: 1 << 24 });
  process.stderr.write(stderr);
  return JSON.parse(stdout) as T;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

export async function run(): Promise<BenchReport> {
  const results: BenchResult[] = [];
  const say = (text: string): void => { if (process.stderr.isTTY) process.stderr.write(`proxy: ${text}\n`); };
  for (const services of [1000, 5000, 10_000, 30_000]) {
    say(`cold start, ${services} Services x 10 endpoints`);
    const isLast = services === 30_000;
    const load = await child<LoadResult>('load-child.ts', String(services), isLast ? '300' : '0');
    // The size with a target of its own: the middle one of three processes.
    const loads = isLast ? [load, await child<LoadResult>('load-child.ts', String(services), '0'), await child<LoadResult>('load-child.ts', String(services), '0')] : [load];
    const [coldMs, floorMs] = [median(loads.map((one) => one.coldMs)), median(loads.map((one) => one.floorMs))];
    results.push({
      name: `cold start ${services} x 10`, value: rounded(coldMs), unit: 'ms', floor: rounded(floorMs), ratio: rounded(coldMs / floorMs),
      target: isLast ? '<= 3000 ms, <= 2.5x the floor' : 'linear', ok: isLast ? coldMs <= 3000 && coldMs <= 2.5 * floorMs : true,
    });
    for (const [what, ms] of Object.entries(load.repairs)) {
      // A lost table is a cold start (give or take what two of them differ in); the rest is named by the kernel's monitor, and costs nothing by the size.
      const isLost = what === 'a lost table' && services > 1000;
      const limit = isLost ? 1.25 * coldMs : 1000;
      results.push({ name: `${what} at ${services}, put right`, value: rounded(ms), unit: 'ms', target: isLost ? 'a cold start, 1.25 x' : '<= 1000', ok: ms <= limit });
    }
    if (load.restartMs !== undefined) results.push({ name: `restart over the rows of ${services} x 10, every Service synced`, value: rounded(load.restartMs), unit: 'ms', target: 'for comparison: packets are served meanwhile', ok: true });
    for (const [kind, { p50, p99 }] of Object.entries(load.changes)) {
      results.push({ name: `${kind} at ${services}, p50`, value: rounded(p50), unit: 'ms', target: '<= 0.3', ok: p50 <= 0.3 }, { name: `${kind} at ${services}, p99`, value: rounded(p99), unit: 'ms', target: '<= 3', ok: p99 <= 3 });
    }
    if (load.stream !== undefined) {
      const { eachMs, gcEachMs, gcLongestMs } = load.stream;
      results.push({ name: `changes at ${services} in a stream, each, with all that lies between them`, value: rounded(eachMs), unit: 'ms', target: 'for comparison', ok: true });
      results.push({ name: 'of it the garbage collector', value: rounded(gcEachMs), unit: 'ms', target: 'for comparison', ok: true });
      results.push({ name: `longest pause of the garbage collector at ${services}`, value: rounded(gcLongestMs), unit: 'ms', target: '<= 50', ok: gcLongestMs <= 50 });
    }
    if (load.idle !== undefined) {
      const { changes, floor } = load.idle;
      results.push({ name: `endpoint replaced at ${services} after 50 ms of idleness, p50`, value: rounded(changes.p50), unit: 'ms', floor: rounded(floor.p50), ratio: rounded(changes.p50 / floor.p50), target: 'none: the processor wakes up cold', ok: true });
    }
    if (load.rolling !== undefined) results.push({ name: 'rolling update, 100 endpoints in 1 s, slowest', value: rounded(load.rolling.max), unit: 'ms', target: '<= 50', ok: load.rolling.max <= 50 });
  }
  const [first, , , last] = results.filter(({ name }) => name.startsWith('cold start'));
  if (first !== undefined && last !== undefined) {
    const linear = last.value / 30 / first.value;
    results.push({ name: 'cost of a Service at 30000, as a multiple of that at 1000', value: rounded(linear), unit: 'x', target: '<= 1.3 (linear)', ok: linear <= 1.3 });
  }
  say('first packet and throughput');
  const packets = await child<PacketResult>('packets-child.ts');
  for (const { services, directUs, serviceUs } of packets.connect) {
    results.push({ name: `first packet with ${services} Services, p50`, value: rounded(serviceUs), unit: 'us', floor: rounded(directUs), ratio: rounded(serviceUs / directUs), target: 'ratio <= 1.1', ok: serviceUs / directUs <= 1.1 });
  }
  if (packets.throughput !== undefined) {
    const { direct, service, ratio } = packets.throughput;
    results.push({ name: 'throughput through a Service', value: rounded(service), unit: 'Gbit/s', floor: rounded(direct), ratio: rounded(ratio), target: 'ratio >= 0.97', ok: ratio >= 0.97 });
  }
  const reason = absence('kube-apiserver', 'kube-proxy');
  if (reason !== undefined) process.stderr.write(`proxy: kube-proxy is not in this run: ${reason}\n`);
  for (const services of reason === undefined ? [1000, 5000] : []) {
    say(`our proxy and kube-proxy as programs, ${services} Services x 10 endpoints (minutes)`);
    results.push(...peerRows(await child<PeersResult>('peers-child.ts', String(services))));
  }
  say('memory and idleness');
  const memory = await child<MemoryResult>('memory-child.ts', 'host', '30000');
  results.push({ name: 'resident memory at 30000 x 10', value: rounded(memory.rssMiB), unit: 'MiB', target: '<= 400', ok: memory.rssMiB <= 400 });
  results.push({ name: 'kernel transactions in 10 s of idleness', value: memory.idleTransactions, unit: '', target: '0', ok: memory.idleTransactions === 0 });
  results.push({ name: 'CPU time in 10 s of idleness', value: memory.idleCpuMs, unit: 'ms', target: '<= 50 (timers)', ok: memory.idleCpuMs <= 50 });
  return { bench: 'proxy', results };
}
