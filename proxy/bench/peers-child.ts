// Our proxy beside the real kube-proxy (nftables mode), one after the other in one network namespace, fed by one real kube-apiserver:
// N Services x 10 from exec to programmed, one endpoint replaced, the first packet.
import { existsSync } from 'node:fs';
import { KernelNft } from 'nftables-js';
import { KubeClient, resources } from '@podwire/kube-client';
import type { KubeObject, ResourceDescriptor } from '@podwire/kube-client';
import { KubeApiServer } from '../../scripts/peers/kube-apiserver.ts';
import { ADDRESSES, createNetLab } from '../testing/netlab.ts';
import { node, service, slice } from '../testing/objects.ts';
import { MeasuredProgram, writeConfig } from './measured-program.ts';
import type { Program, Start } from './measured-program.ts';
import { connectTimes, median } from './packet-measures.ts';
import type { Pair } from './packet-measures.ts';
import { benchService, benchSlice, range } from './stub-client.ts';

export interface Measured extends Start { /** From the API request to the kernel. */ readonly changeMs: number; /** CPU time of a change and of all that follows from it. */ readonly changeCpuMs: number; readonly connectUs: Pair }
export interface PeersResult {
  readonly services: number;
  readonly measured: Readonly<Partial<Record<Program, Measured>>>;
  /** From the API request to its event in a watch that only waits: what no proxy can be faster than. */
  readonly eventMs: number;
}

/** The first addresses of the range are the API server's own. */
const FIRST = 300;
const ADDRESS = '10.96.255.1';
const CHANGES = 20;
const LIMIT_MS = 240_000;
const count = Number(process.argv[2]);

await using lab = await createNetLab();
await using server = await KubeApiServer.start({ advertiseAddress: ADDRESSES.node1[0], ...(existsSync('/dev/shm') ? { parent: '/dev/shm' } : {}) });
const client = new KubeClient(server.access('admin'));
using nft = KernelNft.open();

async function createAll<T extends KubeObject>(resource: ResourceDescriptor<T>, numbers: readonly number[], make: (n: number) => T): Promise<void> {
  const waiting = [...numbers];
  await Promise.all(range(16).map(async () => {
    for (let n = waiting.pop(); n !== undefined; n = waiting.pop()) await client.create(resource, unversioned(make(n)));
  }));
}

function unversioned<T extends KubeObject>(object: T): T { return { ...object, metadata: { name: object.metadata?.name ?? '', namespace: object.metadata?.namespace ?? '', ...(object.metadata?.labels === undefined ? {} : { labels: object.metadata.labels }) } }; }

const replaced = (n: number): Promise<unknown> => client.update(resources.endpointSlices, unversioned(benchSlice(FIRST + n, [...range(9), 10 + (n % 40)])));
const restored = (n: number): Promise<unknown> => client.update(resources.endpointSlices, unversioned(benchSlice(FIRST + n, range(10))));

/** How long an event takes to reach a watch, without any proxy. */
async function eventTimes(): Promise<number> {
  const times: number[] = [];
  const abort = new AbortController();
  const { resourceVersion } = await client.list(resources.endpointSlices, { namespace: 'bench' });
  const events = client.watch(resources.endpointSlices, { namespace: 'bench', resourceVersion, signal: abort.signal })[Symbol.asyncIterator]();
  for (const n of range(CHANGES)) {
    const next = events.next();
    const before = performance.now();
    const made = replaced(n);
    await next;
    times.push(performance.now() - before);
    await made;
  }
  for (const n of range(CHANGES)) await restored(n);
  abort.abort();
  await events.next().catch(() => undefined);
  return median(times);
}

async function measure(program: Program, config: string): Promise<Measured> {
  await using running = new MeasuredProgram(program, config, nft, server.directory);
  const start = await running.started(count + 2, LIMIT_MS); // the API server's own Service and the target's besides
  const times: number[] = [];
  await running.quiet();
  const cpuBefore = await running.cpuMs();
  for (const n of range(CHANGES)) {
    times.push(await running.changed(() => replaced(n)));
    await running.quiet();
  }
  const changeCpuMs = (await running.cpuMs() - cpuBefore) / CHANGES;
  const connectUs = connectTimes(lab.a.netns, { host: ADDRESSES.c[0], port: 8080 }, { host: ADDRESS, port: 80 });
  for (const n of range(CHANGES)) await restored(n);
  return { ...start, changeMs: median(times), changeCpuMs, connectUs };
}

await client.create(resources.namespaces, { metadata: { name: 'bench' } });
await client.create(resources.nodes, node('node1', ADDRESSES.node1.slice(0, 1)));
await client.create(resources.services, service('target', [ADDRESS], { ports: [{ name: 't', protocol: 'TCP', port: 80 }] }));
await client.create(resources.endpointSlices, slice('target-4', 'target', [{ address: ADDRESSES.c[0], node: 'node2' }]));
const numbers = range(count, FIRST);
await createAll(resources.services, numbers, benchService);
await createAll(resources.endpointSlices, numbers, (n) => benchSlice(n, range(10)));
const eventMs = await eventTimes();
const config = writeConfig(server.directory, server.kubeconfig('system:kube-proxy'));
const measured: Partial<Record<Program, Measured>> = {};
for (const program of ['podwire', 'kube-proxy'] as const) {
  await measure(program, config).then((result) => { measured[program] = result; }, (error: unknown) => process.stderr.write(`peer: ${error instanceof Error ? error.message : String(error)}\n`));
}
client.close();
const result: PeersResult = { services: count, measured, eventMs };
process.stdout.write(JSON.stringify(result));
await server[Symbol.asyncDispose]();
await lab[Symbol.asyncDispose]();
process.exit(0);
