import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket, TimeSlices, parseAck } from '@podwire/netlink';
import { NftError } from './errors.ts';
import { NLMSG_DONE, NLMSG_ERROR, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, SUBSYS_NFTABLES } from './wire.ts';
import { MessageWriter } from './writer.ts';

const ATTEMPTS = 5;

/** The payloads of a dump (nfgenmsg and attributes). Fine for tables, chains, sets and rules: hundreds at most. */
export function dump(socket: NetlinkSocket, type: number, family: number, operation: string): Buffer[] {
  return named(operation, () => socket.request(SUBSYS_NFTABLES | type, NLM_F_REQUEST | NLM_F_DUMP, Buffer.from([family, 0, 0, 0]), { operation }).map((message) => message.payload));
}

/**
 * A dump that may be long, on a socket of its own, in slices: the kernel finds its place in a hash set by walking it from the
 * start for every 32 KiB, so that 300,000 elements take seconds. A dump that a change interrupted is repeated.
 */
export async function dumpInSlices(netns: string | undefined, type: number, family: number, operation: string, attributes: MessageWriter): Promise<Buffer[]> {
  using socket = NetlinkSocket.open(NETLINK_NETFILTER, netns === undefined ? {} : { netns });
  for (let attempt = 1; ; attempt++) {
    const payloads = await attemptDump(socket, type, family, operation, attributes);
    if (payloads !== undefined) return payloads;
    if (attempt === ATTEMPTS) throw new NftError(`nft ${operation}`, 'EINTR', `the ruleset changed during each of ${ATTEMPTS} dumps; read it when it is quiet`);
  }
}

async function attemptDump(socket: NetlinkSocket, type: number, family: number, operation: string, attributes: MessageWriter): Promise<Buffer[] | undefined> {
  const seq = socket.nextSequence();
  const request = new MessageWriter(attributes.length + 32);
  const start = request.beginMessage(SUBSYS_NFTABLES | type, NLM_F_REQUEST | NLM_F_DUMP, family);
  request.append(attributes);
  request.endMessage(start);
  request.bytes.writeUInt32LE(seq, start + 8);
  named(operation, () => socket.send(request.bytes.subarray(0, request.length), operation));
  const payloads: Buffer[] = [];
  let isInterrupted = false;
  const slices = new TimeSlices();
  for (;;) {
    for (const message of named(operation, () => socket.receive(operation))) {
      if (message.seq !== seq) continue;
      isInterrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
      if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) {
        payloads.push(message.payload);
        continue;
      }
      const ack = parseAck(message);
      if (ack.errno !== 0) named(operation, () => { throw new NetlinkError(operation, ack.errno, ack); });
      return isInterrupted ? undefined : payloads;
    }
    if (slices.isOver) await slices.next();
  }
}

function named<T>(operation: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof NetlinkError) throw new NftError(`nft ${operation}`, cause.code, cause.kernelText, { cause });
    throw cause;
  }
}
