// Docker's multiplexed stream: frames of 8 bytes header (stream, 0, 0, 0, length) and payload; stream 1 is stdout, 2 stderr.
import { PassThrough, Transform } from 'node:stream';
import type { Readable } from 'node:stream';

export interface Outputs { readonly stdout: PassThrough; readonly stderr: PassThrough }

/** Splits frames as they arrive, in whatever pieces. Keeps at most one header in memory. */
export class FrameSplitter {
  #header = Buffer.alloc(8);
  #have = 0;
  #left = 0;
  #stream = 1;

  /** Calls `emit(stream, bytes)` for every piece of payload in the chunk. */
  push(chunk: Buffer, emit: (stream: number, bytes: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const take = Math.min(8 - this.#have, chunk.length - at);
        chunk.copy(this.#header, this.#have, at, at + take);
        this.#have += take;
        at += take;
        if (this.#have < 8) return;
        this.#have = 0;
        this.#stream = this.#header.readUInt8(0);
        this.#left = this.#header.readUInt32BE(4);
        continue;
      }
      const take = Math.min(this.#left, chunk.length - at);
      emit(this.#stream, chunk.subarray(at, at + take));
      this.#left -= take;
      at += take;
    }
  }
}

/** Feeds two streams from a source, framed (no tty) or raw (tty), slowing the source down when a reader is slow. */
export function splitOutputs(source: Readable, framed: boolean): Outputs {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const splitter = new FrameSplitter();
  const waiting = new Set<PassThrough>();
  const write = (target: PassThrough, bytes: Buffer): void => {
    if (target.destroyed || target.write(bytes) || waiting.has(target)) return;
    waiting.add(target);
    source.pause();
    const go = (): void => {
      if (!waiting.delete(target)) return;
      if (waiting.size === 0) source.resume();
    };
    target.once('drain', go);
    target.once('close', go);
  };
  source.on('data', (chunk: Buffer) => {
    if (framed) splitter.push(chunk, (stream, bytes) => write(stream === 2 ? stderr : stdout, bytes));
    else write(stdout, chunk);
  });
  const end = (): void => {
    stdout.end();
    stderr.end();
  };
  source.once('end', end);
  source.once('close', end);
  source.once('error', end);
  return { stdout, stderr };
}

/** The payload of all frames, in order; without a tty there are frames, with one there are none. */
export function joinOutputs(source: Readable, framed: boolean): Readable {
  if (!framed) return source;
  const splitter = new FrameSplitter();
  const joined = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      splitter.push(chunk, (_stream, bytes) => this.push(bytes));
      done();
    },
  });
  source.once('error', () => joined.end());
  source.once('close', () => joined.end());
  joined.once('close', () => source.destroy());
  return source.pipe(joined);
}
