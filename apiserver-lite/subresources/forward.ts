import { once } from 'node:events';
import http from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';
import { connect } from 'node:tls';
import type { Call } from '../http/call.ts';
import { upgradeHead } from '../http/listener.ts';
import type { Endpoint, KubeletAccess } from './node-endpoint.ts';
import { unreachable } from './node-endpoint.ts';

/** Headers of one connection only, and the credentials, which are ours and not the backend's business. */
const notForwarded = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'authorization', 'host']);

const kept = (headers: IncomingHttpHeaders): http.OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !notForwarded.has(name)));

export type Forward = Readonly<{ endpoint: Endpoint; path: string; kubelet?: KubeletAccess; secure?: boolean }>;

/** Passes a plain HTTP request on and its answer back, both as streams. */
export async function forwardRequest(call: Call, { endpoint, path, kubelet, secure = kubelet !== undefined }: Forward): Promise<void> {
  const { request, response, signal } = call;
  const options = { host: endpoint.host, port: endpoint.port, path, method: request.method, headers: { ...kept(request.headers), host: hostOf(endpoint) }, signal };
  const outgoing = secure
    ? https.request({ ...options, ...(kubelet === undefined ? { rejectUnauthorized: false } : { agent: kubelet.agent }) })
    : http.request(options);
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  request.pipe(outgoing);
  let incoming: IncomingMessage;
  try {
    [incoming] = await answered;
  } catch (error) {
    if (signal.aborted) return;
    throw unreachable(`${endpoint.host}:${endpoint.port}`, error as Error);
  }
  response.writeHead(incoming.statusCode ?? 502, kept(incoming.headers));
  response.flushHeaders();
  try {
    await pipeline(incoming, response);
  } catch (error) {
    if (!signal.aborted) response.destroy(error as Error);
  }
}

/**
 * Hands an upgraded connection (SPDY or WebSocket) to the kubelet byte for byte: the kubelet answers the
 * handshake itself, and nothing here needs to understand the stream.
 */
export async function tunnelUpgrade(call: Call, { endpoint, path, kubelet }: Forward & { kubelet: KubeletAccess }): Promise<void> {
  const { request } = call;
  const client = request.socket;
  const backend = connect({ host: endpoint.host, port: endpoint.port, cert: kubelet.cert, key: kubelet.key, ca: kubelet.ca });
  try {
    await once(backend, 'secureConnect');
  } catch (error) {
    backend.destroy();
    throw unreachable(`${endpoint.host}:${endpoint.port}`, error as Error);
  }
  backend.setNoDelay(true);
  const lines = [`${request.method ?? 'GET'} ${path} HTTP/1.1`, `Host: ${hostOf(endpoint)}`];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    if (!/^(host|authorization)$/i.test(name)) lines.push(`${name}: ${request.rawHeaders[index + 1] ?? ''}`);
  }
  call.response.detachSocket(client);
  backend.write(`${lines.join('\r\n')}\r\n\r\n`);
  const head = upgradeHead(request);
  if (head.length > 0) backend.write(head);
  client.pipe(backend);
  backend.pipe(client);
  const end = (): void => {
    client.destroy();
    backend.destroy();
  };
  client.once('close', end);
  backend.once('close', () => client.destroySoon());
  backend.on('error', end);
  client.on('error', end);
}

const hostOf = ({ host, port }: Endpoint): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
