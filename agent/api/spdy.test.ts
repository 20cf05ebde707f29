import { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { spdyDictionary } from './spdy-dictionary.ts';
import { headerBlock, parseHeaderBlock, SpdyConnection } from './spdy.ts';
import type { SpdyStream } from './spdy.ts';

/** Two ends of a connection in memory. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const make = (other: () => Duplex | undefined): Duplex => new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => { other()?.push(chunk); done(); },
    final: (done) => { other()?.push(null); done(); },
  });
  ends.push(make(() => ends[1]), make(() => ends[0]));
  return [ends[0]!, ends[1]!];
}

class Client {
  readonly socket: Duplex;
  readonly #deflate = zlib.createDeflate({ dictionary: spdyDictionary });
  readonly frames: { kind: number; stream: number; flags: number; body: Buffer }[] = [];
  #have: Buffer = Buffer.alloc(0);

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#have = Buffer.concat([this.#have, chunk]);
      while (this.#have.length >= 8) {
        const length = this.#have.readUInt32BE(4) & 0xffffff;
        if (this.#have.length < 8 + length) return;
        const control = (this.#have.readUInt32BE(0) & 0x80000000) !== 0;
        const body = Buffer.from(this.#have.subarray(8, 8 + length));
        this.frames.push({ kind: control ? this.#have.readUInt16BE(2) : 0, stream: control ? body.readUInt32BE(0) : this.#have.readUInt32BE(0), flags: this.#have.readUInt8(4), body });
        this.#have = this.#have.subarray(8 + length);
      }
    });
  }

  async open(id: number, headers: Record<string, string>): Promise<void> {
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer): void => { chunks.push(chunk); };
    this.#deflate.on('data', collect);
    this.#deflate.write(headerBlock(headers));
    await new Promise<void>((resolve) => { this.#deflate.flush(zlib.constants.Z_SYNC_FLUSH, resolve); });
    this.#deflate.off('data', collect);
    const head = Buffer.alloc(10);
    head.writeUInt32BE(id, 0);
    this.control(1, 0, Buffer.concat([head, ...chunks]));
  }

  control(kind: number, flags: number, body: Buffer): void {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(0x8003, 0);
    header.writeUInt16BE(kind, 2);
    header.writeUInt32BE(body.length, 4);
    header.writeUInt8(flags, 4);
    this.socket.write(Buffer.concat([header, body]));
  }

  data(id: number, text: string, fin = false): void {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(id, 0);
    header.writeUInt32BE(text.length, 4);
    header.writeUInt8(fin ? 1 : 0, 4);
    this.socket.write(Buffer.concat([header, Buffer.from(text)]));
  }

  async until(look: () => boolean): Promise<void> {
    const deadline = Date.now() + 5000;
    while (!look()) {
      if (Date.now() > deadline) throw new Error('the frame did not come');
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  }
}

test('the dictionary is the one of the specification', (t) => {
  t.is(spdyDictionary.length, 1423);
  const stream = zlib.deflateSync(Buffer.from('x'), { dictionary: spdyDictionary });
  t.is(stream.readUInt32BE(2).toString(16), 'e3c6a7c2');
});

test('header blocks survive their own encoding', (t) => {
  fc.assert(fc.property(fc.dictionary(fc.string({ minLength: 1 }).map((name) => name.toLowerCase()), fc.string()), (headers) => {
    t.deepEqual(parseHeaderBlock(headerBlock(headers)), { ...headers });
  }), { examples: [[Object.fromEntries([['__proto__', 'a name like any other']])]] });
});

test('streams carry headers and data both ways, and a half-close ends one direction only', async (t) => {
  const [near, far] = pair();
  const client = new Client(near);
  const streams: SpdyStream[] = [];
  const connection = new SpdyConnection(far, { stream: (stream) => streams.push(stream), closed: () => undefined });
  const running = connection.run();
  await client.open(1, { streamtype: 'stdin', port: '80' });
  await client.open(3, { streamtype: 'stdout' });
  await client.until(() => streams.length === 2);
  t.is(streams[0]?.headers['port'], '80');
  t.is(streams[1]?.headers['streamtype'], 'stdout');
  client.data(1, 'hello', true);
  let text = '';
  for await (const chunk of streams[0]!) text += String(chunk);
  t.is(text, 'hello');
  streams[1]?.end('answer');
  await client.until(() => client.frames.some((frame) => frame.kind === 0 && frame.stream === 3 && frame.flags === 1));
  t.is(client.frames.filter((frame) => frame.kind === 0 && frame.stream === 3).map((frame) => frame.body.toString()).join(''), 'answer');
  t.is(client.frames.filter((frame) => frame.kind === 2).length, 2);
  near.end();
  await running;
});

test('a ping is answered, a reset ends its stream alone', async (t) => {
  const [near, far] = pair();
  const client = new Client(near);
  const streams: SpdyStream[] = [];
  const running = new SpdyConnection(far, { stream: (stream) => streams.push(stream), closed: () => undefined }).run();
  client.control(6, 0, Buffer.from([0, 0, 0, 7]));
  await client.until(() => client.frames.some((frame) => frame.kind === 6));
  await client.open(1, { streamtype: 'data' });
  await client.open(3, { streamtype: 'data' });
  await client.until(() => streams.length === 2);
  client.control(3, 0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 5]));
  await client.until(() => streams[0]?.destroyed === true);
  t.false(streams[1]?.destroyed);
  near.end();
  await running;
});

test('bytes that are no SPDY end the connection and nothing else', async (t) => {
  const [near, far] = pair();
  let closed = false;
  const running = new SpdyConnection(far, { stream: () => undefined, closed: () => { closed = true; } }).run();
  near.resume();
  near.write(Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 12, ...Buffer.from('not a header')]));
  near.end();
  await running;
  t.true(closed);
});
