import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { clientStep, idleClient } from './client-core.ts';
import type { ClientEvent, ClientState, Outcome } from './client-core.ts';
import { RpcError } from './errors.ts';
import { DEFAULT_MAX_BYTES, LARGEST_BYTES } from './message.ts';

export interface ClientOptions {
  /** Largest payload of a request. Default 1200: no fragments on any path. At most 65,495. */
  readonly maxBytes?: number;
  /** Local port; default: any. */
  readonly localPort?: number;
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  /** The whole call, retransmissions included. Default 5000. */
  readonly timeoutMs?: number;
  /** First retransmission; the distance doubles each time. Default 100. */
  readonly retransmitMs?: number;
  /** Largest distance of retransmissions. Default 1600. */
  readonly maxRetransmitMs?: number;
  readonly signal?: AbortSignal;
}

export interface CallResult {
  readonly payload: Buffer;
  /** How often the request was sent: 1 when nothing was lost or late. */
  readonly sent: number;
}

/** Calls one server. The socket is connected: answers of others are not heard, and a refusal (ICMP) is. */
export class RpcClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #maxBytes: number;
  readonly #nonce = randomBytes(4).toString('hex');
  readonly #calls = new Map<string, (outcome: Outcome) => void>();
  #state: ClientState = idleClient();
  #counter = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(socket: Socket, peer: string, maxBytes: number) {
    this.#socket = socket;
    this.#peer = peer;
    this.#maxBytes = maxBytes;
    socket.on('message', (bytes) => this.#step({ kind: 'datagram', now: performance.now(), bytes }));
    socket.on('error', (error) => this.#unreachable(error));
  }

  /** `host` is an address of either family, or a name. Nothing is sent yet. */
  static async connect(host: string, port: number, options: ClientOptions = {}): Promise<RpcClient> {
    options.signal?.throwIfAborted();
    const { address, family } = isIP(host) === 0 ? await lookup(host) : { address: host, family: isIP(host) };
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    socket.once('error', reject);
    const connect = (): void => socket.connect(port, address, ((error?: Error) => error === undefined ? resolve(undefined) : reject(error)) as () => void);
    if (options.localPort === undefined) connect();
    else socket.bind(options.localPort, connect);
    try {
      await promise;
    } catch (cause) {
      socket.close();
      throw new RpcError(`connect to ${host}:${port}`, (cause as NodeJS.ErrnoException).code ?? 'EIO', 'the socket cannot be set up', cause);
    }
    socket.off('error', reject);
    return new RpcClient(socket, family === 6 ? `[${address}]:${port}` : `${address}:${port}`, Math.min(options.maxBytes ?? DEFAULT_MAX_BYTES, LARGEST_BYTES));
  }

  get localPort(): number { return this.#socket.address().port; }

  /** Sends a request until it is answered. Throws RpcError, or the signal's reason. */
  async call(payload: Uint8Array | string, options: CallOptions = {}): Promise<CallResult> {
    const operation = `call ${this.#peer}`;
    options.signal?.throwIfAborted();
    if (this.#closed) throw new RpcError(operation, 'ECLOSED', 'the client was closed');
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;
    if (bytes.length > this.#maxBytes) throw new RpcError(operation, 'EMSGSIZE', `${bytes.length} bytes are over the limit of ${this.#maxBytes}; send less, or raise maxBytes on both sides`);
    const id = this.#nonce + (this.#counter++ >>> 0).toString(16).padStart(8, '0');
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#calls.set(id, resolve);
    const abort = (): void => {
      this.#step({ kind: 'cancel', now: performance.now(), id });
      reject(options.signal?.reason as Error);
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const schedule = { timeoutMs: options.timeoutMs ?? 5000, firstMs: options.retransmitMs ?? 100, maxMs: options.maxRetransmitMs ?? 1600 };
      this.#step({ kind: 'call', now: performance.now(), id, payload: bytes, schedule });
      const outcome = await promise;
      if (outcome.kind === 'failed') throw new RpcError(operation, outcome.code, outcome.text);
      return { payload: Buffer.from(outcome.payload), sent: outcome.sent };
    } finally {
      this.#calls.delete(id);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /** Pending calls fail with ECLOSED. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#step({ kind: 'unreachable', now: performance.now(), code: 'ECLOSED' });
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#socket.close(() => resolve(undefined));
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  #unreachable(error: NodeJS.ErrnoException): void {
    if (!this.#closed) this.#step({ kind: 'unreachable', now: performance.now(), code: error.code ?? 'EIO' });
  }

  #step(event: ClientEvent): void {
    const { state, effects, wakeAt } = clientStep(this.#state, event);
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'settle') this.#calls.get(effect.id)?.(effect.outcome);
      else this.#socket.send(effect.bytes, (error) => { if (error !== null) this.#unreachable(error); });
    }
    clearTimeout(this.#timer);
    this.#timer = wakeAt === undefined ? undefined : setTimeout(() => this.#step({ kind: 'tick', now: performance.now() }), Math.max(1, Math.ceil(wakeAt - performance.now())));
  }
}
