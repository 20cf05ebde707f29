// npm run bench -- apiserver: start, memory, writes, reads and watch delivery of the API server as a separate process.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseKubeconfig } from '@podwire/kube-client';
import type { ClusterAccess } from '@podwire/kube-client';

type Result = { name: string; value: number; unit: string; target: string; ok: boolean };

const seconds = (from: number): number => (performance.now() - from) / 1000;
const atMost = (name: string, value: number, unit: string, limit: number): Result => ({ name, value, unit, target: `<= ${limit}`, ok: value <= limit });
const atLeast = (name: string, value: number, unit: string, limit: number): Result => ({ name, value, unit, target: `>= ${limit}`, ok: value >= limit });

class Client {
  readonly #access: ClusterAccess;
  readonly #agent: Agent;

  constructor(access: ClusterAccess) {
    this.#access = access;
    const { ca, cert, key } = access;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 256, ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) });
  }

  async open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const outgoing = request(this.#access.server + path, { method, agent: this.#agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } });
    outgoing.end(text);
    const [incoming] = await once(outgoing, 'response') as [IncomingMessage];
    return incoming;
  }

  async call(method: string, path: string, body?: unknown): Promise<void> {
    const incoming = await this.open(method, path, body);
    incoming.resume();
    await once(incoming, 'end');
    if ((incoming.statusCode ?? 500) >= 300) throw new Error(`${method} ${path}: ${incoming.statusCode ?? 0}`);
  }

  /** Calls per second with so many in flight. */
  async rate(count: number, inFlight: number, one: (index: number) => Promise<void>): Promise<number> {
    let next = 0;
    const started = performance.now();
    await Promise.all(Array.from({ length: inFlight }, async () => { while (next < count) await one(next++); }));
    return count / seconds(started);
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function start(directory: string): Promise<{ child: ChildProcess; readySeconds: number; client: Client }> {
  const from = performance.now();
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), '--data-dir', directory, '--secure-port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (child.stderr === null) throw new Error('no stderr');
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('API server ready')) break;
  const readySeconds = seconds(from);
  child.stderr.resume();
  return { child, readySeconds, client: new Client(parseKubeconfig(readFileSync(join(directory, 'kubeconfig'), 'utf8'))) };
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill();
  await gone;
}

const residentMB = ({ pid }: ChildProcess): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

const maps = '/api/v1/namespaces/default/configmaps';
const twoKB = (name: string): object => ({ metadata: { name }, data: { text: 'x'.repeat(1800) } });

/** Milliseconds from sending a write to its arrival at the slowest of 100 watchers, at 500 writes a second. */
async function watchLatency(client: Client): Promise<number> {
  const sentMs = new Map<string, number>();
  const latencies: number[] = [];
  const watches = await Promise.all(Array.from({ length: 100 }, async () => {
    const incoming = await client.open('GET', `${maps}?watch=true&resourceVersion=0&labelSelector=watched`);
    incoming.on('error', () => undefined);
    let rest = '';
    incoming.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const name = /"name":"(watched-\d+)"/.exec(line)?.[1] ?? '';
        latencies.push(performance.now() - (sentMs.get(name) ?? performance.now()));
      }
    });
    return incoming;
  }));
  const writes: Promise<void>[] = [];
  const started = performance.now();
  for (let index = 0; index < 1000; index += 1) {
    const dueMs = started + index * 2;
    if (dueMs > performance.now()) await pause(dueMs - performance.now());
    const name = `watched-${index}`;
    sentMs.set(name, performance.now());
    writes.push(client.call('POST', maps, { metadata: { name, labels: { watched: 'yes' } } }));
  }
  await Promise.all(writes);
  await pause(500);
  for (const watch of watches) watch.destroy();
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? Infinity;
}

export async function run(): Promise<{ bench: string; results: Result[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'apiserver-bench-'));
  const results: Result[] = [];
  try {
    const first = await start(directory);
    first.client.close();
    await stop(first.child);
    const { child, readySeconds, client } = await start(directory);
    results.push(atMost('start to ready', readySeconds, 's', 0.7));
    await pause(3000);
    results.push(atMost('idle memory, controllers and scheduler included', residentMB(child), 'MB', 120));
    await client.rate(1000, 64, (index) => client.call('POST', maps, twoKB(`warm-${index}`)));
    results.push(atLeast('create 2 kB, 64 in flight, durable', await client.rate(6000, 64, (index) => client.call('POST', maps, twoKB(`object-${index}`))), '1/s', 3000));
    results.push(atLeast('get', await client.rate(10_000, 64, (index) => client.call('GET', `${maps}/object-${index % 6000}`)), '1/s', 8000));
    results.push(atLeast('list 500', await client.rate(300, 8, () => client.call('GET', `${maps}?limit=500`)), '1/s', 300));
    results.push(atMost('watch: send to delivery, 100 watchers, 500 writes/s, p99', await watchLatency(client), 'ms', 20));
    client.close();
    await stop(child);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { bench: 'apiserver', results };
}
