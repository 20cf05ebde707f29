import { createNetns, deleteNetns, netnsPath, withNetns } from '@podwire/netlink';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface PluginRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The parsed answer; {} when there was none. */
  readonly json: Record<string, unknown>;
}

export interface Pod {
  readonly name: string;
  readonly netns: string;
  /** Asks another address from inside the pod; resolves with what the server said, that is the source address that it saw. */
  readonly tcp: (host: string, port: number, timeoutMs?: number) => Promise<string>;
  readonly udp: (host: string, port: number, bytes?: number, timeoutMs?: number) => Promise<string>;
  readonly serve: (port: number) => Promise<string>;
  /** Sends `count` datagrams of a thousand bytes, from an address of its own if told. */
  readonly flood: (host: string, count: number, from?: string) => Promise<string>;
}

/** Namespaces, processes and folders of one test; all gone after `close`. The test itself lives in a private namespace: the "host". */
export class TestBed {
  readonly folder = mkdtempSync(join(tmpdir(), 'pw-cni-test-'));
  readonly #prefix = `pwt${process.pid}`;
  readonly #names: string[] = [];
  readonly #children: ChildProcess[] = [];

  get dataDir(): string { return join(this.folder, 'networks'); }

  namespace(name: string): string {
    const full = `${this.#prefix}-${name}`;
    this.#names.push(full);
    createNetns(full);
    return netnsPath(full);
  }

  removeNamespace(name: string): void { deleteNetns(`${this.#prefix}-${name}`); }

  /** A namespace with a process in it. */
  pod(name: string): Pod {
    const netns = this.namespace(name);
    return { name, netns, ...this.#process(netns) };
  }

  /** The same in the host's namespace, which is the test's own. */
  host(): Omit<Pod, 'name' | 'netns'> { return this.#process(undefined); }

  #process(netns: string | undefined): Omit<Pod, 'name' | 'netns'> {
    const child = withNetns(netns, () => spawn(process.execPath, [join(import.meta.dirname, 'pod-process.ts')], { stdio: ['pipe', 'pipe', 'inherit'] }));
    this.#children.push(child);
    const waiting = new Map<number, { readonly done: (text: string) => void; readonly failed: (error: Error) => void }>();
    createInterface(child.stdout).on('line', (line) => {
      const { id, ok, error } = JSON.parse(line) as { id: number; ok?: string; error?: string };
      if (ok === undefined) waiting.get(id)?.failed(new Error(error));
      else waiting.get(id)?.done(ok);
    });
    child.on('exit', () => { for (const each of waiting.values()) each.failed(new Error('the process in the pod is gone')); });
    let next = 0;
    const ask = async (command: object): Promise<string> => {
      const id = next++;
      return await new Promise((done, failed) => {
        waiting.set(id, { done, failed });
        child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
      });
    };
    return {
      tcp: (host, port, timeoutMs) => ask({ do: 'tcp', host, port, timeoutMs }),
      udp: (host, port, bytes, timeoutMs) => ask({ do: 'udp', host, port, bytes, timeoutMs }),
      serve: (port) => ask({ do: 'serve', port }),
      flood: (host, count, from) => ask({ do: 'flood', host, port: 9, count, from }),
    };
  }

  /** Lease files of a network. */
  leases(network: string): readonly string[] {
    try {
      return readdirSync(join(this.dataDir, network)).filter((name) => /^[0-9a-f]+[.:]/.test(name)).sort();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  lease(network: string, ip: string): string { return readFileSync(join(this.dataDir, network, ip), 'latin1'); }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => new Promise<void>((done) => {
      if (child.exitCode !== null || child.signalCode !== null) { done(); return; }
      child.on('exit', () => done());
      child.kill('SIGKILL');
    })));
    for (const name of this.#names) deleteNetns(name);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs a command and returns its output; throws with its complaint when it fails. */
export function run(...argv: readonly string[]): string {
  const [command = '', ...rest] = argv;
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  return stdout;
}

/** `ip -j ...`, parsed. */
export const ipJson = (...argv: readonly string[]): Record<string, unknown>[] => JSON.parse(run('/sbin/ip', '-j', ...argv) || '[]') as Record<string, unknown>[];

/** Runs a plugin executable in this thread's namespace. */
export async function runExecutablePlugin(path: string, env: Readonly<Record<string, string>>, config: unknown): Promise<PluginRun> {
  const child = spawn(path, [], { env: { PATH: process.env['PATH'], ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  child.stdin.on('error', () => undefined).end(typeof config === 'string' ? config : JSON.stringify(config));
  const code = await new Promise<number | null>((done, failed) => { child.on('error', failed).on('close', done); });
  return { code, stdout, stderr, json: stdout.trim() === '' ? {} : JSON.parse(stdout) as Record<string, unknown> };
}
