import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Pair } from '../pki/pki.ts';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export type Listener = Readonly<{ port: number; close(): Promise<void> }>;

export type ListenOptions = Readonly<{ host: string; port: number; serving: Pair; caCert: string; onRequest: RequestHandler;
  /** Gets requests with `Upgrade:` (exec, attach, port-forward); may take over `request.socket`. */
  onUpgrade: RequestHandler;
}>;

/** HTTPS with optional client certificates: who shows none may still bring a token. */
export async function listen({ host, port, serving, caCert, onRequest, onUpgrade }: ListenOptions): Promise<Listener> {
  const server: Server = createServer({ cert: serving.cert, key: serving.key, ca: caCert, requestCert: true, rejectUnauthorized: false, keepAliveTimeout: 90_000, noDelay: true },
    (request, response) => void onRequest(request, response));
  server.requestTimeout = 0;
  const upgraded = new Set<Socket>();
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    upgraded.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => void upgraded.delete(socket));
    heads.set(request, head);
    void onUpgrade(request, plainResponse(request, socket));
  });
  // Clients that speak no TLS, or leave in the middle of the handshake, are their own affair.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      for (const socket of upgraded) socket.destroy();
      const patience = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearTimeout(patience);
    },
  };
}

/** Answers a request that wanted an upgrade like any other, over its raw socket. */
function plainResponse(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  response.shouldKeepAlive = false;
  response.once('finish', () => {
    response.detachSocket(socket);
    socket.end();
  });
  return response;
}

const heads = new WeakMap<IncomingMessage, Buffer>();

/** First bytes that arrived together with an upgrade request, for whoever tunnels the connection. */
export const upgradeHead = (request: IncomingMessage): Buffer => heads.get(request) ?? Buffer.alloc(0);
