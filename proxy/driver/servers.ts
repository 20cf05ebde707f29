// The proxy's HTTP answers: /healthz and /livez, /metrics and its neighbours, and one server per healthCheckNodePort.
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Answer { readonly code: number; readonly body: unknown; readonly type?: string }
export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>;

/** `0.0.0.0:10256`, `[::]:10256`, or a bare address with `port`. */
export function parseBindAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) return undefined;
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** Listens, or says why not: a port in use must not stop the proxy from programming. */
export async function serve(host: string, port: number, routes: Routes, onError: (error: Error) => void): Promise<http.Server> {
  const server = http.createServer((request, response) => void answer(request, response, routes, onError));
  server.keepAliveTimeout = 5000;
  await new Promise<void>((resolve) => {
    server.once('error', (error) => {
      onError(error);
      resolve();
    });
    // Without a host, listen() binds at once in the caller's namespace; with one it resolves it on a pool thread first.
    if (host === '' || host === '0.0.0.0' || host === '::') server.listen(port, () => resolve());
    else server.listen(port, host, () => resolve());
  });
  server.on('error', onError);
  server.unref();
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: Routes, onError: (error: Error) => void): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const route = routes[path] ?? routes['*'];
  let result: Answer;
  try {
    result = route === undefined ? { code: 404, body: `no ${path} here; there is ${Object.keys(routes).join(', ')}\n`, type: 'text/plain' } : await route();
  } catch (error) {
    onError(error instanceof Error ? error : new Error(String(error)));
    result = { code: 500, body: 'internal error\n', type: 'text/plain' };
  }
  response.writeHead(result.code, { 'content-type': result.type ?? 'application/json', 'x-content-type-options': 'nosniff' });
  response.end(typeof result.body === 'string' ? result.body : JSON.stringify(result.body));
}

export async function closeServer(server: http.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => { server.close(() => resolve()); });
}

export interface LocalHealth { readonly namespace: string; readonly name: string; readonly localEndpoints: number }

/** healthCheckNodePort: one small server per Service that has one, on every address of the node. */
export class ServiceHealthServers {
  readonly #servers = new Map<number, http.Server>();
  readonly #health = new Map<number, LocalHealth>();
  readonly #isHealthy: () => boolean;
  readonly #onError: (error: Error) => void;

  constructor(isHealthy: () => boolean, onError: (error: Error) => void) {
    this.#isHealthy = isHealthy;
    this.#onError = onError;
  }

  /** Brings the listening ports to what is wanted. */
  async update(wanted: ReadonlyMap<number, LocalHealth>): Promise<void> {
    for (const [port, server] of this.#servers) {
      if (wanted.has(port)) continue;
      this.#servers.delete(port);
      this.#health.delete(port);
      await closeServer(server);
    }
    for (const [port, health] of wanted) {
      this.#health.set(port, health);
      if (!this.#servers.has(port)) this.#servers.set(port, await serve('', port, { '*': () => this.#answer(port) }, this.#onError));
    }
  }

  async close(): Promise<void> { await this.update(new Map()); }

  #answer(port: number): Answer {
    const health = this.#health.get(port);
    const serviceProxyHealthy = this.#isHealthy();
    const localEndpoints = health?.localEndpoints ?? 0;
    return { code: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, body: { service: { namespace: health?.namespace ?? '', name: health?.name ?? '' }, localEndpoints, serviceProxyHealthy } };
  }
}
