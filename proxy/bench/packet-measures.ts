// What a packet feels: the time of connect(), and the throughput of a stream, through a Service beside the direct way.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { existsSync } from 'node:fs';

export interface Place { readonly host: string; readonly port: number }
export interface Pair { readonly direct: number; readonly service: number }

const IPERF = '/usr/bin/iperf3';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** connect() again and again in one process, by turns, so that what disturbs hits both ways alike. Prints the medians in microseconds. */
const CONNECT = `
import net from 'node:net';
const ways = JSON.parse(process.argv[1]);
const times = ways.map(() => []);
const one = ({ host, port }) => new Promise((resolve, reject) => {
  const before = process.hrtime.bigint();
  const socket = net.connect({ host, port, autoSelectFamily: false });
  socket.once('connect', () => { const took = Number(process.hrtime.bigint() - before) / 1000; socket.resetAndDestroy(); resolve(took); });
  socket.once('error', reject);
});
for (let n = 0; n < 1500; n++) for (const way of ways.keys()) { const took = await one(ways[way]); if (n >= 100) times[way].push(took); }
console.log(JSON.stringify(times.map((list) => list.sort((a, b) => a - b)[list.length >> 1])));
`;

const inNetns = (netns: string, argv: readonly string[]): string => execFileSync('/usr/bin/nsenter', [`--net=${netns}`, '--', ...argv], { encoding: 'utf8' });

/** Median microseconds of connect() from a pod, directly and through the Service. */
export function connectTimes(netns: string, direct: Place, service: Place): Pair {
  const [directUs = Number.NaN, serviceUs = Number.NaN] = JSON.parse(inNetns(netns, [process.execPath, '--input-type=module', '-e', CONNECT, JSON.stringify([direct, service])])) as number[];
  return { direct: directUs, service: serviceUs };
}

export interface Throughput extends Pair { /** The median of the ratios of neighbouring runs, service to direct. */ readonly ratio: number }

/** One second each, by turns (direct, service, service, direct, ...): a slow drift of the machine hits both alike, and a burst spoils one pair. */
export async function throughput(client: string, server: string, direct: string, service: string, pairs = 15): Promise<Throughput | undefined> {
  if (!existsSync(IPERF)) return undefined;
  const listener = spawn('/usr/bin/nsenter', [`--net=${server}`, '--', IPERF, '-s', '--forceflush'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(listener.stdout, 'data'); // it says that it listens
    listener.stdout.resume();
    const affinity = cpus().length > 1 ? ['-A', '0,1'] : [];
    const gbit = (host: string): number => {
      const report = JSON.parse(inNetns(client, [IPERF, '-J', '-t', '1', ...affinity, '-c', host])) as { end: { sum_received: { bits_per_second: number } } };
      return report.end.sum_received.bits_per_second / 1e9;
    };
    for (const host of [direct, service]) gbit(host);
    const runs = Array.from({ length: pairs }, (_, n): Pair => {
      if (n % 2 === 0) return { direct: gbit(direct), service: gbit(service) };
      const first = gbit(service);
      return { service: first, direct: gbit(direct) };
    });
    return { direct: median(runs.map((run) => run.direct)), service: median(runs.map((run) => run.service)), ratio: median(runs.map((run) => run.service / run.direct)) };
  } finally {
    listener.kill('SIGKILL');
  }
}
