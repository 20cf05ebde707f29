/**
 * `npm run bench -- cni`: attachments in-process and by executable, beside the Go reference plugins (Debian's
 * containernetworking-plugins) doing the same in the same run, turn by turn. Needs root; works in a namespace of its own.
 */
import { createNetns, deleteNetns, netnsPath, unshareNetns } from '@podwire/netlink';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attach, detach } from './engine.ts';
import { installPlugins } from './install.ts';
import { measureOverlay } from './overlay/bench.ts';
import { servePlugins } from './plugins/serve.ts';
import { podNetworkConfig } from './pod-network.ts';
import { run as command, runExecutablePlugin } from './testing/test-bed.ts';

export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly peer?: number;
  readonly ratio?: number;
  readonly target: string;
  readonly ok: boolean;
}

export interface BenchReport {
  readonly bench: string;
  readonly results: readonly BenchResult[];
}

const reference = '/usr/lib/cni';
const rounds = 25;
const many = 30;

/** One way to do it: what `add` wired, `del` unwires. */
interface Contender {
  readonly add: (index: number) => Promise<unknown>;
  readonly del: (index: number) => Promise<unknown>;
}

export async function run(): Promise<BenchReport> {
  if (!existsSync(join(reference, 'bridge'))) throw new Error(`${reference}/bridge is not there; install containernetworking-plugins, which the targets are relative to`);
  unshareNetns();
  command('/sbin/ip', 'link', 'set', 'lo', 'up');
  const folder = mkdtempSync(join(tmpdir(), 'pw-cni-bench-'));
  const names = Array.from({ length: many }, (_, index) => `pwb${process.pid}-${index}`);
  try {
    for (const name of names) createNetns(name);
    for (const bin of ['bin', 'served']) await installPlugins(join(folder, bin));
    const served = await servePlugins(join(folder, 'served'));
    return await measured(folder, names.map(netnsPath)).finally(() => served.stop());
  } finally {
    for (const name of names) deleteNetns(name);
    rmSync(folder, { recursive: true, force: true });
  }
}

const measured = async (folder: string, spaces: readonly string[]): Promise<BenchReport> => ({ bench: 'cni', results: [...await measure(folder, spaces), ...await measureOverlay()] });

async function measure(folder: string, spaces: readonly string[]): Promise<readonly BenchResult[]> {
  const inside = inProcess(folder, spaces);
  const exec = executable(join(folder, 'bin'), 'podwire', { type: 'podwire', name: 'bench-exec', bridge: 'pw-bench-e' }, '10.81.0.0/24', folder, spaces);
  const asked = executable(join(folder, 'served'), 'podwire', { type: 'podwire', name: 'bench-asked', bridge: 'pw-bench-a' }, '10.83.0.0/24', folder, spaces);
  const go = executable(reference, 'bridge', { type: 'bridge', name: 'bench-go', bridge: 'pw-bench-g', isDefaultGateway: true, hairpinMode: true }, '10.82.0.0/24', folder, spaces);
  const samples = { inAdd: [] as number[], inDel: [] as number[], execAdd: [] as number[], execDel: [] as number[], askedAdd: [] as number[], askedDel: [] as number[], goAdd: [] as number[], goDel: [] as number[], node: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const warm = round > 0;
    for (const [contender, add, del] of [[inside, samples.inAdd, samples.inDel], [go, samples.goAdd, samples.goDel], [exec, samples.execAdd, samples.execDel], [asked, samples.askedAdd, samples.askedDel]] as const) {
      const added = await timed(() => contender.add(0));
      const deleted = await timed(() => contender.del(0));
      if (warm) { add.push(added); del.push(deleted); }
    }
    samples.node.push(await timed(() => runExecutablePlugin(process.execPath, {}, '')));
  }
  const [insideMany, goMany] = [await atOnce(inside), await atOnce(go)];
  const [inAdd, inDel, execAdd, execDel, askedAdd, askedDel, goAdd, goDel, node] = Object.values(samples).map(median) as [number, number, number, number, number, number, number, number, number];
  return [
    against('ADD in-process', inAdd, goAdd, 0.5),
    { name: 'ADD by executable', value: execAdd, unit: 'ms', floor: node, peer: goAdd, ratio: execAdd / goAdd, target: '<= bare node start + 15 ms', ok: execAdd <= node + 15 },
    against('ADD by executable, done by the running agent', askedAdd, goAdd, 1),
    against('DEL in-process', inDel, goDel, 1),
    against('DEL by executable', execDel, goDel, undefined),
    against('DEL by executable, done by the running agent', askedDel, goDel, undefined),
    against(`${many} DELs at once, in-process`, insideMany.del, goMany.del, 0.3),
    { name: `${many} ADDs at once, in-process`, value: (many / insideMany.add) * 1000, unit: '1/s', peer: (many / goMany.add) * 1000, ratio: goMany.add / insideMany.add, target: '>= 1.5x the peer', ok: goMany.add / insideMany.add >= 1.5 },
  ];
}

function against(name: string, value: number, peer: number, most: number | undefined): BenchResult {
  return { name, value, unit: 'ms', peer, ratio: value / peer, target: most === undefined ? 'for comparison' : `<= ${most}x the peer`, ok: most === undefined || value <= peer * most };
}

function inProcess(folder: string, spaces: readonly string[]): Contender {
  const network = podNetworkConfig({ name: 'bench-in', bridge: 'pw-bench-i', podCIDRs: ['10.80.0.0/24'], dataDir: join(folder, 'leases') });
  const request = (index: number) => ({ containerId: `c${index}`, netns: spaces[index] ?? '', ifname: 'eth0' });
  return { add: (index) => attach(network, request(index)), del: (index) => detach(network, request(index)) };
}

function executable(path: string, name: string, keys: object, subnet: string, folder: string, spaces: readonly string[]): Contender {
  const config = { cniVersion: '1.0.0', ...keys, ipam: { type: 'host-local', ranges: [[{ subnet }]], dataDir: join(folder, 'leases') } };
  const call = async (verb: string, index: number): Promise<void> => {
    const { code, stdout } = await runExecutablePlugin(join(path, name), { CNI_COMMAND: verb, CNI_PATH: path, CNI_CONTAINERID: `c${index}`, CNI_NETNS: spaces[index] ?? '', CNI_IFNAME: 'eth0' }, config);
    if (code !== 0) throw new Error(`${name} ${verb}: ${stdout}`);
  };
  return { add: (index) => call('ADD', index), del: (index) => call('DEL', index) };
}

/** Milliseconds for all of them at once; the best of three, since a neighbour on the machine can only slow one down. */
async function atOnce(contender: Contender): Promise<{ readonly add: number; readonly del: number }> {
  const all = Array.from({ length: many }, (_, index) => index);
  const [add, del]: [number[], number[]] = [[], []];
  for (let attempt = 0; attempt < 3; attempt++) {
    add.push(await timed(() => Promise.all(all.map(contender.add))));
    del.push(await timed(() => Promise.all(all.map(contender.del))));
  }
  return { add: Math.min(...add), del: Math.min(...del) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
