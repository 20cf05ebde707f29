// SPDY/3.1, the server's half, as far as Kubernetes clients speak it: streams with headers, data, half-close, reset, ping.
// No flow control: the clients' library neither sends nor heeds window updates; each socket's own back-pressure does the work.
import { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import { spdyDictionary } from './spdy-dictionary.ts';

const type = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;
const flagFin = 1;
const maxFrame = 1 << 24;
const chunkBytes = 32 * 1024;
const aheadBytes = 1 << 20;

export type Headers = Readonly<Record<string, string>>;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #connection: SpdyConnection;
  #resume: (() => void) | undefined;

  constructor(connection: SpdyConnection, id: number, headers: Headers) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#connection = connection;
  }

  /** Bytes from the peer; resolves when more may come. */
  async receive(data: Buffer): Promise<void> {
    if (this.destroyed || this.readableEnded) return;
    // A little is kept for a slow reader, so that it does not hold up the connection's other streams; then it does.
    if (this.push(data) || this.readableLength < aheadBytes) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.once('close', resolve);
    });
  }

  override _read(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, chunk, false).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, Buffer.alloc(0), true).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.closed(this.id, error !== null || !this.writableFinished);
    done(error);
  }
}

/** A stateful zlib stream, one block at a time: header blocks of a connection share one history. */
class BlockCodec {
  readonly #stream: zlib.Inflate | zlib.Deflate;

  constructor(stream: zlib.Inflate | zlib.Deflate) {
    this.#stream = stream;
  }

  async run(block: Buffer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer): void => { chunks.push(chunk); };
    this.#stream.on('data', collect);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#stream.once('error', reject);
        this.#stream.write(block);
        this.#stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
          this.#stream.off('error', reject);
          resolve();
        });
      });
    } finally {
      this.#stream.off('data', collect);
    }
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#stream.close();
  }
}

export function parseHeaderBlock(block: Buffer): Headers {
  const headers: (readonly [name: string, value: string])[] = [];
  let at = 0;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    const value = block.toString('utf8', at + 4, at + 4 + length);
    at += 4 + length;
    return value;
  };
  const count = block.readUInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index += 1) {
    const name = text().toLowerCase();
    headers.push([name, text()]);
  }
  // Not by assignment: a stranger may call a header `__proto__`.
  return Object.fromEntries(headers);
}

export function headerBlock(headers: Headers): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  const text = (value: string): void => {
    const bytes = Buffer.from(value);
    number(bytes.length);
    parts.push(bytes);
  };
  number(Object.keys(headers).length);
  for (const [name, value] of Object.entries(headers)) {
    text(name);
    text(value);
  }
  return Buffer.concat(parts);
}

export interface SpdyHandlers {
  /** A new stream; it is accepted when this returns. */
  stream(stream: SpdyStream): void;
  closed(): void;
}

export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #handlers: SpdyHandlers;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate = new BlockCodec(zlib.createInflate({ dictionary: spdyDictionary }));
  readonly #deflate = new BlockCodec(zlib.createDeflate({ dictionary: spdyDictionary }));
  #ended = false;

  constructor(socket: Duplex, handlers: SpdyHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
  }

  /** Serves the connection until it ends. Never rejects: a broken peer just ends it. */
  async run(): Promise<void> {
    let have: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of this.#socket) {
        have = have.length === 0 ? chunk as Buffer : Buffer.concat([have, chunk as Buffer]);
        while (have.length >= 8) {
          const length = have.readUInt32BE(4) & 0xffffff;
          if (length > maxFrame || have.length < 8 + length) break;
          const frame = have.subarray(0, 8 + length);
          have = have.subarray(8 + length);
          await this.#frame(frame);
        }
      }
    } catch {
      // A reset or a malformed frame: there is nobody to tell.
      this.#ended = true;
    }
    this.close();
  }

  /** Says goodbye after what was written, and closes. */
  close(): void {
    if (!this.#socket.destroyed && !this.#ended) {
      this.#ended = true;
      this.#control(type.goAway, 0, Buffer.alloc(8));
      this.#socket.end();
    }
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#inflate.close();
    this.#deflate.close();
    this.#handlers.closed();
  }

  async sendData(id: number, data: Buffer, fin: boolean): Promise<void> {
    let at = 0;
    do {
      const part = data.subarray(at, at + chunkBytes);
      at += part.length;
      const header = Buffer.alloc(8);
      header.writeUInt32BE(id, 0);
      header.writeUInt32BE(part.length, 4);
      if (fin && at >= data.length) header.writeUInt8(flagFin, 4);
      if (!this.#write(Buffer.concat([header, part]))) await this.#drained();
    } while (at < data.length);
  }

  closed(id: number, reset: boolean): void {
    if (!this.#streams.delete(id) || !reset) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(5, 4); // CANCEL
    this.#control(type.rstStream, 0, body);
  }

  #write(bytes: Buffer): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true;
    return this.#socket.write(bytes);
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.once('drain', done);
      this.#socket.once('close', done);
    });
  }

  #control(kind: number, flags: number, body: Buffer): void {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(0x8003, 0);
    header.writeUInt16BE(kind, 2);
    header.writeUInt32BE(body.length, 4);
    header.writeUInt8(flags, 4);
    this.#write(Buffer.concat([header, body]));
  }

  async #frame(frame: Buffer): Promise<void> {
    const first = frame.readUInt32BE(0);
    const flags = frame.readUInt8(4);
    const body = frame.subarray(8);
    if ((first & 0x80000000) === 0) {
      const stream = this.#streams.get(first);
      if (stream === undefined) return;
      if (body.length > 0) await stream.receive(body);
      if ((flags & flagFin) !== 0) stream.push(null);
      return;
    }
    const kind = first & 0xffff;
    if (kind === type.synStream) await this.#synStream(flags, body);
    else if (kind === type.rstStream) {
      const stream = this.#streams.get(body.readUInt32BE(0));
      this.#streams.delete(body.readUInt32BE(0));
      stream?.destroy();
    } else if (kind === type.ping) this.#control(type.ping, 0, body);
    // Headers blocks must pass through the inflater even if nobody wants them: the history is shared.
    else if (kind === type.headers) await this.#inflate.run(body.subarray(4));
    else if (kind === type.goAway) this.#socket.end();
  }

  async #synStream(flags: number, body: Buffer): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    const headers = parseHeaderBlock(await this.#inflate.run(body.subarray(10)));
    const stream = new SpdyStream(this, id, headers);
    stream.on('error', () => undefined);
    this.#streams.set(id, stream);
    const reply = await this.#deflate.run(headerBlock({}));
    const idBytes = Buffer.alloc(4);
    idBytes.writeUInt32BE(id);
    this.#control(type.synReply, 0, Buffer.concat([idBytes, reply]));
    if ((flags & flagFin) !== 0) stream.push(null);
    this.#handlers.stream(stream);
  }
}
