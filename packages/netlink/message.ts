// Netlink messages as bytes (RFC 3549, linux/netlink.h): the header, the acknowledgement, and nothing about any family.
// Netlink is host byte order; Podwire's platforms (x86-64, arm64) are little-endian.
import { Attributes } from './attributes.ts';

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;
export const NLM_F_ROOT = 0x100;
export const NLM_F_MATCH = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_HEADER = 16;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly portId: number;
  /** What follows the 16-byte header. Own memory: it may be kept. */
  readonly payload: Buffer;
}

/** An NLMSG_ERROR (errno 0: success) or the end of a dump, with the extended ack. */
export interface NetlinkAck {
  readonly seq: number;
  /** 0, or a positive errno. */
  readonly errno: number;
  readonly kernelText: string;
  readonly offset?: number;
  readonly missing?: number;
  /** Type of the acknowledged request; 0 at the end of a dump. */
  readonly requestType: number;
}

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_MISS_TYPE = 5;

export const align4 = (length: number): number => (length + 3) & ~3;

/** Splits a datagram into its messages. The payloads are views into `bytes`. */
export function parseMessages(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + NLMSG_HEADER <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < NLMSG_HEADER || at + length > bytes.length) throw new RangeError(`netlink message at byte ${at} says it is ${length} bytes long; ${bytes.length - at} are there`);
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      seq: bytes.readUInt32LE(at + 8),
      portId: bytes.readUInt32LE(at + 12),
      payload: bytes.subarray(at + NLMSG_HEADER, at + length),
    });
    at += align4(length);
  }
  return messages;
}

function parseTlvs(bytes: Buffer): Pick<NetlinkAck, 'kernelText' | 'offset' | 'missing'> {
  const tlvs = new Attributes(bytes);
  const offset = tlvs.u32(NLMSGERR_ATTR_OFFS);
  const missing = tlvs.u32(NLMSGERR_ATTR_MISS_TYPE);
  return { kernelText: tlvs.string(NLMSGERR_ATTR_MSG) ?? '', ...(offset === undefined ? {} : { offset }), ...(missing === undefined ? {} : { missing }) };
}

/** Reads NLMSG_ERROR, or NLMSG_DONE (which carries a dump's result the same way). */
export function parseAck(message: NetlinkMessage): NetlinkAck {
  const { payload, flags, seq } = message;
  const errno = payload.length >= 4 ? -payload.readInt32LE(0) : 0;
  const isDone = message.type === NLMSG_DONE;
  const requestType = isDone || payload.length < 20 ? 0 : payload.readUInt16LE(8);
  let tlvsAt = 4;
  if (!isDone && payload.length >= 20) {
    // CAP_ACK: only the request's header comes back, not its body.
    tlvsAt = 4 + ((flags & NLM_F_CAPPED) !== 0 ? NLMSG_HEADER : align4(payload.readUInt32LE(4)));
  }
  const hasTlvs = (flags & NLM_F_ACK_TLVS) !== 0 && payload.length > tlvsAt;
  return { seq, errno: errno === 0 ? 0 : errno, requestType, ...(hasTlvs ? parseTlvs(payload.subarray(tlvsAt)) : { kernelText: '' }) };
}
