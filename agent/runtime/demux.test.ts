import { Readable } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { FrameSplitter, joinOutputs } from './demux.ts';

function frame(stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

test('frames come out whole, however the bytes were cut', (t) => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 50 })), { maxLength: 20 }), fc.integer({ min: 1, max: 30 }), (frames, cut) => {
    const bytes = Buffer.concat(frames.map(([stream, payload]) => frame(stream, Buffer.from(payload))));
    const out: Record<number, Buffer[]> = { 1: [], 2: [] };
    const splitter = new FrameSplitter();
    for (let at = 0; at < bytes.length; at += cut) splitter.push(bytes.subarray(at, at + cut), (stream, part) => out[stream]?.push(part));
    for (const stream of [1, 2]) {
      t.deepEqual(Buffer.concat(out[stream] ?? []), Buffer.concat(frames.filter(([one]) => one === stream).map(([, payload]) => Buffer.from(payload))));
    }
  }));
});

test('a log is both streams in the order of their lines', async (t) => {
  const source = Readable.from([Buffer.concat([frame(1, Buffer.from('one\n')), frame(2, Buffer.from('two\n'))]), frame(1, Buffer.from('three\n'))]);
  let text = '';
  for await (const chunk of joinOutputs(source, true)) text += String(chunk);
  t.is(text, 'one\ntwo\nthree\n');
});
