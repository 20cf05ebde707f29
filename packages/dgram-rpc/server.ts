import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { RpcError } from './errors.ts';
import { defaultLimits, idleServer, serverStep } from './server-core.ts';
import type { ServerEvent, ServerLimits, ServerState } from './server-core.ts';

export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
}

/** Answers a request. What it throws reaches the caller as EREMOTE with the error's message. */
export type RpcHandler = (payload: Buffer, peer: Peer) => Uint8Array | string | Promise<Uint8Array | string>;

export interface ServerOptions extends Partial<ServerLimits> {
  /** Default 0: any; the same for both families. */
  readonly port?: number;
  /** An address of either family; default: every address of both. */
  readonly host?: string;
}

interface Endpoint {
  readonly socket: Socket;
  readonly peer: Peer;
}

/** Answers requests on one port. */
export class RpcServer implements AsyncDisposable {
  readonly port: number;
  readonly #sockets: readonly Socket[];
  readonly #handler: RpcHandler;
  /** By the core's name of a peer; only while a request of it is handled. */
  readonly #endpoints = new Map<string, Endpoint & { uses: number }>();
  #state: ServerState;
  #closed = false;

  private constructor(sockets: readonly Socket[], port: number, handler: RpcHandler, limits: ServerLimits) {
    this.#sockets = sockets;
    this.port = port;
    this.#handler = handler;
    this.#state = idleServer(limits);
    for (const socket of sockets) {
      socket.on('message', (bytes, from) => this.#receive(socket, bytes, from));
      socket.on('error', () => undefined); // an ICMP error about an answer: its client has gone, and asks again if not
    }
  }

  static async listen(handler: RpcHandler, options: ServerOptions = {}): Promise<RpcServer> {
    const { port = 0, host, ...limits } = options;
    const sockets: Socket[] = [];
    try {
      if (host !== undefined) sockets.push(await bind(isIP(host) === 6 ? 'udp6' : 'udp4', port, host));
      else {
        const first = await bind('udp4', port, '0.0.0.0');
        sockets.push(first);
        const second = await bind('udp6', first.address().port, '::').catch((error: unknown) => {
          if (error instanceof RpcError && (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL')) return undefined; // no IPv6 here
          throw error;
        });
        if (second !== undefined) sockets.push(second);
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new RpcServer(sockets, sockets[0]?.address().port ?? port, handler, { ...defaultLimits, ...limits });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#sockets.map((socket) => new Promise<void>((resolve) => { socket.close(() => resolve()); })));
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  #receive(socket: Socket, bytes: Buffer, from: RemoteInfo): void {
    const name = `${from.address}#${from.port}`;
    const known = this.#endpoints.get(name);
    const endpoint = known ?? { socket, peer: { address: from.address, port: from.port, family: from.family }, uses: 0 };
    this.#endpoints.set(name, endpoint);
    this.#step({ kind: 'datagram', now: performance.now(), peer: name, bytes });
    if (endpoint.uses === 0) this.#endpoints.delete(name);
  }

  async #handle(key: string, payload: Uint8Array): Promise<void> {
    const name = key.split(' ')[0] ?? '';
    const endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) return;
    endpoint.uses++;
    try {
      const answer = await this.#handler(Buffer.from(payload), endpoint.peer);
      this.#step({ kind: 'answered', now: performance.now(), key, payload: typeof answer === 'string' ? Buffer.from(answer, 'utf8') : answer });
    } catch (error) {
      this.#step({ kind: 'failed', now: performance.now(), key, text: error instanceof Error ? error.message : String(error) });
    } finally {
      endpoint.uses--;
      if (endpoint.uses === 0) this.#endpoints.delete(name);
    }
  }

  #step(event: ServerEvent): void {
    const { state, effects } = serverStep(this.#state, event);
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'handle') void this.#handle(effect.key, effect.payload);
      else {
        const endpoint = this.#endpoints.get(effect.peer);
        if (endpoint !== undefined && !this.#closed) endpoint.socket.send(effect.bytes, endpoint.peer.port, endpoint.peer.address, () => undefined);
      }
    }
  }
}

async function bind(type: 'udp4' | 'udp6', port: number, host: string): Promise<Socket> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  socket.once('error', reject);
  socket.bind(port, host, () => resolve(undefined));
  try {
    await promise;
  } catch (cause) {
    socket.close();
    const { code = 'EIO' } = cause as NodeJS.ErrnoException;
    throw new RpcError(`listen on ${host} port ${port}`, code, code === 'EADDRINUSE' ? 'another program has that UDP port' : 'the socket cannot be bound', cause);
  }
  socket.off('error', reject);
  return socket;
}
