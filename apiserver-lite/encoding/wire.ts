import { DecodeError } from './decode-error.ts';

/** One field on the wire: a varint (wire type 0) or bytes (wire type 2). Fixed-width types do not occur in Kubernetes' messages. */
export type WireField = Readonly<{ id: number; varint: number; bytes: Uint8Array | undefined }>;

const NO_BYTES = undefined;

/** The fields of one message, in order. Throws DecodeError when the bytes end early or are no protobuf. */
export function* wireFields(message: Uint8Array): Generator<WireField> {
  const cursor = { position: 0 };
  while (cursor.position < message.length) {
    const tag = readVarint(message, cursor);
    const id = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { id, varint: readVarint(message, cursor), bytes: NO_BYTES };
        break;
      case 1:
        cursor.position += 8;
        break;
      case 2: {
        const length = readVarint(message, cursor);
        const start = cursor.position;
        cursor.position += length;
        if (cursor.position > message.length) throw malformed('a field is longer than the message');
        yield { id, varint: 0, bytes: message.subarray(start, cursor.position) };
        break;
      }
      case 5:
        cursor.position += 4;
        break;
      default:
        throw malformed(`wire type ${tag % 8} of field ${id} is unknown`);
    }
  }
}

/** Negative numbers are written as ten bytes, two's complement of 64 bits. */
function readVarint(bytes: Uint8Array, cursor: { position: number }): number {
  let value = 0;
  let factor = 1;
  for (let count = 0; count < 10; count++) {
    const byte = bytes[cursor.position++];
    if (byte === undefined) throw malformed('it ends inside a number');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : readLong(bytes, cursor.position - count - 1, count + 1);
    factor *= 128;
  }
  throw malformed('a number has more than ten bytes');
}

function readLong(bytes: Uint8Array, start: number, length: number): number {
  let value = 0n;
  for (let index = 0; index < length; index++) value |= BigInt((bytes[start + index] ?? 0) & 0x7f) << BigInt(7 * index);
  return Number(BigInt.asIntN(64, value));
}

export function malformed(why: string): DecodeError {
  return new DecodeError('BadRequest', `the body of the request is not valid protobuf: ${why}`);
}
