/**
 * A datagram: 'DR', version, kind, 8 bytes of id, payload. The id is 4 random bytes of the client and its counter: an answer to an
 * earlier life of the same address and port is told apart.
 */
export const HEADER_BYTES = 12;
/** Fits every path without fragments: 1280 (IPv6's least MTU) less 48 of headers, less ours, rounded. */
export const DEFAULT_MAX_BYTES = 1200;
/** What a UDP datagram over IPv4 can hold. */
export const LARGEST_BYTES = 65_507 - HEADER_BYTES;

const MAGIC = 0x4452;
const VERSION = 1;
const KINDS = ['request', 'response', 'error'] as const;

export interface Message {
  readonly kind: (typeof KINDS)[number];
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly payload: Uint8Array;
}

export function encode({ kind, id, payload }: Message): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUInt16BE(MAGIC, 0);
  bytes[2] = VERSION;
  bytes[3] = KINDS.indexOf(kind);
  bytes.write(id, 4, 8, 'hex');
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Undefined for anything that is not ours: a datagram socket hears strangers. */
export function decode(bytes: Uint8Array): Message | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = KINDS[view[3] ?? -1];
  if (view.length < HEADER_BYTES || view.readUInt16BE(0) !== MAGIC || view[2] !== VERSION || kind === undefined) return undefined;
  return { kind, id: view.toString('hex', 4, HEADER_BYTES), payload: view.subarray(HEADER_BYTES) };
}
