import type { NetlinkSocket } from '@podwire/netlink';
import { NetlinkError } from '@podwire/netlink';
import { eachAttribute, parseAttributes } from './attributes.ts';
import { ElementView, writeElement } from './element-codec.ts';
import { NftError } from './errors.ts';
import type { ElementValue, SetSchema } from './schema.ts';
import { FAMILY, MSG, NLM_F_ACK, NLM_F_REQUEST, SUBSYS_NFTABLES } from './wire.ts';
import { MessageWriter } from './writer.ts';

/** Answers come one datagram each: so many fit any receive buffer. */
const KEYS_PER_REQUEST = 200;
const ENOENT = 2;

/**
 * `nft get element TABLE SET { KEY, ... }`, without the keys that are not there. A look-up in the kernel's hash costs microseconds,
 * a dump of a large set seconds.
 */
export function lookUp(socket: NetlinkSocket, set: SetSchema, keys: readonly ElementValue[], visit: (element: ElementView) => void): void {
  const operation = `get element ${set.table.family} ${set.table.name} ${set.name}`;
  for (let next = 0; next < keys.length;) {
    const part = keys.slice(next, next + KEYS_PER_REQUEST);
    const seq = socket.nextSequence();
    const { messages, errors, isOverrun } = socket.transact(request(set, part, seq), operation);
    if (isOverrun) throw new NftError(operation, 'ENOBUFS', 'the answers did not fit the receive buffer');
    let answered = 0;
    for (const { payload } of messages) {
      for (const { value } of eachAttribute(parseAttributes(payload, 4).get(3) ?? Buffer.alloc(0))) {
        visit(new ElementView(set, value));
        answered++;
      }
    }
    const [error] = errors;
    // The kernel stops at a key that is not there; a table or set that is not there is the same errno without any element before it, and is asked for apart.
    if (error !== undefined && error.errno !== ENOENT) throw failure(operation, new NetlinkError(operation, error.errno, error));
    next += error === undefined ? part.length : answered + 1;
  }
}

function request(set: SetSchema, keys: readonly ElementValue[], seq: number): Buffer {
  const writer = new MessageWriter(64 + keys.length * 48);
  const message = writer.beginMessage(SUBSYS_NFTABLES | MSG.GETSETELEM, NLM_F_REQUEST | NLM_F_ACK, FAMILY[set.table.family]);
  writer.string(1, set.table.name);
  writer.string(2, set.name);
  const list = writer.beginNested(3);
  for (const key of keys) writeElement(writer, set, key, undefined, undefined);
  writer.endNested(list);
  writer.endMessage(message);
  writer.bytes.writeUInt32LE(seq, message + 8);
  return writer.bytes.subarray(0, writer.length);
}

/** Throws ENOENT when the table or the set is not there. */
export function requireSet(socket: NetlinkSocket, set: SetSchema): void {
  const operation = `get set ${set.table.family} ${set.table.name} ${set.name}`;
  const attributes = new MessageWriter(96);
  attributes.string(1, set.table.name);
  attributes.string(2, set.name);
  const payload = Buffer.concat([Buffer.from([FAMILY[set.table.family], 0, 0, 0]), attributes.bytes.subarray(0, attributes.length)]);
  try {
    socket.request(SUBSYS_NFTABLES | MSG.GETSET, NLM_F_REQUEST, payload, { operation });
  } catch (cause) {
    if (cause instanceof NetlinkError) throw failure(operation, cause);
    throw cause;
  }
}

function failure(operation: string, cause: NetlinkError): NftError {
  return new NftError(`nft ${operation}`, cause.code, cause.kernelText, { cause });
}
