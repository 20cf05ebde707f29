// A bare HTTP client for tests of the API server: what goes over the wire is what the test says.
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startApiServer } from '../../apiserver-lite/index.ts';
import type { RunningApiServer, StartOptions } from '../../apiserver-lite/index.ts';

export type Json = { kind: string; metadata: Record<string, unknown>; [key: string]: unknown };

/** The value at a path like `status.conditions.0.type`, or undefined. */
export const dig = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined), value);
export type Reply = Readonly<{ status: number; headers: IncomingMessage['headers']; text: string; body: Json }>;
export type Event = Readonly<{ type: string; object: Json }>;

export class TestServer {
  server: RunningApiServer;
  readonly directory: string;
  readonly #options: Partial<StartOptions>;
  #agent: Agent;

  private constructor(server: RunningApiServer, directory: string, options: Partial<StartOptions>) {
    this.server = server;
    this.directory = directory;
    this.#options = options;
    this.#agent = TestServer.#agentFor(server);
  }

  static #agentFor({ pki, admin }: RunningApiServer): Agent {
    return new Agent({ keepAlive: true, ca: pki.caCert, cert: admin.cert, key: admin.key });
  }

  static async start(options: Partial<StartOptions> = {}): Promise<TestServer> {
    const directory = mkdtempSync(join(tmpdir(), 'apiserver-rest-'));
    return new TestServer(await TestServer.#run(directory, options), directory, options);
  }

  static #run(directory: string, options: Partial<StartOptions>): Promise<RunningApiServer> {
    return startApiServer({ dataDir: directory, securePort: 0, controllers: false, log: pino({ level: 'silent' }), ...options });
  }

  async restart(): Promise<void> {
    this.#agent.destroy();
    await this.server.stop();
    this.server = await TestServer.#run(this.directory, this.#options);
    this.#agent = TestServer.#agentFor(this.server);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async open(method: string, path: string, body?: unknown, headers: OutgoingHttpHeaders = {}, agent: Agent = this.#agent): Promise<IncomingMessage> {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const outgoing = httpsRequest(this.server.url + path, { method, agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers } });
    outgoing.end(text);
    const [incoming] = await once(outgoing, 'response') as [IncomingMessage];
    return incoming;
  }

  async call(method: string, path: string, body?: unknown, headers: OutgoingHttpHeaders = {}, agent: Agent = this.#agent): Promise<Reply> {
    const incoming = await this.open(method, path, body, headers, agent);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const text = bytes.toString();
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: text.startsWith('{') ? JSON.parse(text) as Json : { kind: '', metadata: {} } };
  }

  /** Opens a watch; `next` waits for one more event, `end` for the end of the stream. */
  async watch(path: string): Promise<{ next: () => Promise<Event>; end: () => Promise<void>; stop: () => void }> {
    const incoming = await this.open('GET', path);
    const events: Event[] = [];
    let rest = '';
    let ended = false;
    let wake = (): void => undefined;
    incoming.on('data', (chunk: Buffer) => {
      rest += chunk.toString();
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      events.push(...lines.map((line) => JSON.parse(line) as Event));
      wake();
    });
    incoming.on('error', () => undefined);
    incoming.on('close', () => { ended = true; wake(); });
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      const deadline = Date.now() + 20_000;
      while (!condition()) {
        if (Date.now() > deadline) throw new Error(`${what} did not come`);
        await new Promise<void>((resolve) => { wake = resolve; setTimeout(resolve, 100); });
      }
    };
    return {
      async next() {
        await until('event', () => events.length > 0 || ended);
        const event = events.shift();
        if (event === undefined) throw new Error('the watch ended');
        return event;
      },
      end: () => until('end of the watch', () => ended),
      stop: () => incoming.destroy(),
    };
  }
}
