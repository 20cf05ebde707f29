// One HTTP request to the API server over a keep-alive agent. Knows TLS and credentials; knows nothing of kinds.
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { ClusterAccess } from './kubeconfig.ts';
import { ApiError, ConnectionError } from './errors.ts';
import type { Status } from './types.ts';

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  readonly query?: Query;
  /** Anything JSON can hold; a string or Buffer is sent as it is. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export class Transport {
  readonly access: ClusterAccess;
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(access: ClusterAccess, userAgent: string) {
    this.access = access;
    this.#base = new URL(access.server);
    const pool = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets: 64, scheduling: 'lifo' as const };
    this.#agent = this.#base.protocol === 'http:' ? new http.Agent(pool) : new https.Agent({
      ...pool,
      ...(access.ca === undefined ? {} : { ca: access.ca }),
      ...(access.cert === undefined ? {} : { cert: access.cert }),
      ...(access.key === undefined ? {} : { key: access.key }),
      ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
      rejectUnauthorized: access.insecureSkipTlsVerify !== true,
    });
    const authorization = access.token !== undefined ? `Bearer ${access.token}`
      : access.username === undefined ? undefined : `Basic ${Buffer.from(`${access.username}:${access.password ?? ''}`).toString('base64')}`;
    this.#headers = { accept: 'application/json', 'user-agent': userAgent, ...(authorization === undefined ? {} : { authorization }) };
  }

  /** Sends and resolves when the response headers are there; a refusal (>= 400) is thrown as ApiError. The caller reads the body. */
  async stream(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const response = await this.#open(path, options);
    const code = response.statusCode ?? 0;
    if (code < 400) return response;
    const body = await readBody(response);
    throw new ApiError(operationOf(path, options), code, statusOf(body, code, response.statusMessage));
  }

  /** Sends and reads the whole answer, whatever its status. */
  async raw(path: string, options: RequestOptions = {}): Promise<RawResponse> {
    const response = await this.#open(path, options);
    return { status: response.statusCode ?? 0, headers: response.headers, body: await this.#body(path, options, response) };
  }

  /** Sends and parses the JSON answer; a refusal is thrown as ApiError. */
  async json(path: string, options: RequestOptions = {}): Promise<unknown> {
    const response = await this.stream(path, options);
    const body = await this.#body(path, options, response);
    return body.length === 0 ? undefined : (JSON.parse(body.toString('utf8')) as unknown);
  }

  /** Closes idle and running connections. */
  close(): void { this.#agent.destroy(); }

  async #body(path: string, options: RequestOptions, response: IncomingMessage): Promise<Buffer> {
    try {
      return await readBody(response);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new ConnectionError(operationOf(path, options), this.access.server, asError(error));
    }
  }

  async #open(path: string, options: RequestOptions): Promise<IncomingMessage> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(path, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        // A kept-alive socket that the server has just closed fails before anything is answered: a read may be sent again.
        const stale = error instanceof StaleSocket && attempt < 2 && (options.method ?? 'GET') === 'GET';
        if (!stale) throw new ConnectionError(operationOf(path, options), this.access.server, asError(error instanceof StaleSocket ? error.cause : error));
      }
    }
  }

  #once(path: string, options: RequestOptions): Promise<IncomingMessage> {
    const body = options.body === undefined ? undefined
      : typeof options.body === 'string' || Buffer.isBuffer(options.body) ? options.body : JSON.stringify(options.body);
    const prefix = this.#base.pathname === '/' ? '' : this.#base.pathname;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const request = (this.#base.protocol === 'http:' ? http : https).request({
        agent: this.#agent,
        host: this.#base.hostname.replace(/^\[|\]$/g, ''),
        port: this.#base.port === '' ? (this.#base.protocol === 'http:' ? 80 : 443) : Number(this.#base.port),
        method: options.method ?? 'GET',
        path: `${prefix}${path}${queryText(options.query)}`,
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...options.headers,
        },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      request.once('response', resolve);
      request.once('error', (error) => reject(request.reusedSocket ? new StaleSocket(error) : error));
      request.end(body);
    });
  }
}

class StaleSocket extends Error {
  override readonly name = 'StaleSocket';
  constructor(cause: Error) { super('a kept-alive connection was closed by the server', { cause }); }
}

function asError(value: unknown): Error { return value instanceof Error ? value : new Error(String(value)); }

function operationOf(path: string, options: RequestOptions): string { return `${options.method ?? 'GET'} ${path}`; }

function queryText(query: Query | undefined): string {
  if (query === undefined) return '';
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string | number | boolean]) params.append(name, String(one));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The Status in a refusal's body; a proxy's plain text becomes its message. */
function statusOf(body: Buffer, code: number, statusMessage: string | undefined): Status {
  try {
    const parsed = JSON.parse(body.toString('utf8')) as Status | null;
    if (parsed !== null && typeof parsed === 'object') return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const words = body.toString('utf8').trim();
  return { code, message: words === '' ? (statusMessage ?? `HTTP ${code}`) : words.slice(0, 500) };
}
