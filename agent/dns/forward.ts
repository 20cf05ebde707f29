// Questions that are not about the cluster go to the node's resolvers, as they came, one resolver after the other.
import dgram from 'node:dgram';
import net from 'node:net';
import { randomInt } from 'node:crypto';

const timeoutMs = 2000;

/** Resolves with the first resolver's reply; undefined when none answered. */
export async function forwardQuery(query: Buffer, resolvers: readonly string[], transport: 'udp' | 'tcp', signal: AbortSignal): Promise<Buffer | undefined> {
  for (const resolver of resolvers) {
    if (signal.aborted) return undefined;
    const reply = await (transport === 'udp' ? overUdp : overTcp)(query, resolver);
    if (reply !== undefined) return reply;
  }
  return undefined;
}

/** A new id, so that a stranger must guess it; the asker's own is put back. */
function overUdp(query: Buffer, resolver: string): Promise<Buffer | undefined> {
  const outgoing = Buffer.from(query);
  const id = randomInt(0x10000);
  outgoing.writeUInt16BE(id, 0);
  return new Promise((resolve) => {
    const socket = dgram.createSocket(net.isIP(resolver) === 6 ? 'udp6' : 'udp4');
    let isOver = false;
    const finish = (reply: Buffer | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    socket.on('error', () => finish(undefined));
    socket.on('message', (reply) => {
      if (reply.length < 12 || reply.readUInt16BE(0) !== id) return;
      reply.writeUInt16BE(query.readUInt16BE(0), 0);
      finish(reply);
    });
    // Connected: only the resolver itself is heard, and a refusal is noticed at once.
    // An unreachable one is an error event; a callback would be called for it as well.
    socket.once('connect', () => socket.send(outgoing));
    socket.connect(53, resolver);
  });
}

function overTcp(query: Buffer, resolver: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: resolver, port: 53 });
    let have: Buffer = Buffer.alloc(0);
    const finish = (reply: Buffer | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    socket.once('error', () => finish(undefined));
    socket.once('end', () => finish(undefined));
    socket.on('data', (chunk: Buffer) => {
      have = Buffer.concat([have, chunk]);
      if (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) finish(have.subarray(2, 2 + have.readUInt16BE(0)));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
}
