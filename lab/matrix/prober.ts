// One probe process per place, many attempts each: requests go in as lines, results come out as lines.
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { LabError } from '../errors.ts';
import type { ProbeRequest, ProbeResult } from '../probe/protocol.ts';
import { placeName } from './places.ts';
import type { Place, Places } from './places.ts';

export class Prober implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting = new Map<string, { readonly resolve: (result: ProbeResult) => void; readonly reject: (error: Error) => void }>();
  readonly #ended: Promise<void>;
  #stderr = '';
  #failure: Error | undefined;
  #counter = 0;

  private constructor(name: string, argv: readonly string[]) {
    this.#name = name;
    const [command = '', ...args] = argv;
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (chunk: Buffer) => { this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-500); });
    this.#child.stdin.on('error', () => { /* the process ended: its exit says why */ });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#child.on('error', (cause) => this.#fail(`cannot be started: ${cause.message}`));
    this.#child.on('close', (code, signal) => {
      this.#fail(`ended with ${code === null ? signal ?? 'a signal' : `exit code ${code}`}${this.#stderr === '' ? '' : `: ${this.#stderr.trim()}`}`);
      resolve(undefined);
    });
    this.#ended = promise;
  }

  static async start(places: Places, place: Place): Promise<Prober> {
    return new Prober(placeName(place), await places.command(place, ['client']));
  }

  /** Throws a LabError when the process at the place has gone; that a probe fails is a result. */
  async attempt(request: Omit<ProbeRequest, 'id'>): Promise<ProbeResult> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = `${++this.#counter}`;
    const { promise, resolve, reject } = Promise.withResolvers<ProbeResult>();
    this.#waiting.set(id, { resolve, reject });
    this.#child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await this.#ended;
    clearTimeout(timer);
  }

  #hear(line: string): void {
    const result = JSON.parse(line) as ProbeResult;
    this.#waiting.get(result.id)?.resolve(result);
    this.#waiting.delete(result.id);
  }

  #fail(text: string): void {
    this.#failure ??= new LabError('EFAILED', `the probe at ${this.#name} ${text}`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

/** One prober per place, by the place's name. */
export interface Probers extends AsyncDisposable {
  readonly at: ReadonlyMap<string, Prober>;
}

export async function startProbers(places: Places, at: readonly Place[]): Promise<Probers> {
  const wanted = new Map(at.map((place) => [placeName(place), place]));
  const started = await Promise.allSettled([...wanted].map(async ([name, place]) => [name, await Prober.start(places, place)] as const));
  const running = new Map(started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  const dispose = async (): Promise<void> => { await Promise.all([...running.values()].map((prober) => prober[Symbol.asyncDispose]())); };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await dispose();
    throw failed.reason;
  }
  return { at: running, [Symbol.asyncDispose]: dispose };
}
