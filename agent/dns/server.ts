// The sockets of the cluster's DNS on this node: UDP and TCP on the node's addresses.
import dgram from 'node:dgram';
import net from 'node:net';
import dns from 'dns-packet';
import type { Packet } from 'dns-packet';
import type { Logger } from 'pino';
import { forwardQuery } from './forward.ts';
import { encodeAnswer, fitUdp, replyTo, serverFailure } from './reply.ts';
import type { Objects } from './zone.ts';

export interface DnsOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly zone: string;
  readonly objects: Objects;
  readonly resolvers: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const idleMs = 10_000;

export async function startDns(options: DnsOptions): Promise<void> {
  for (const address of options.addresses) {
    await Promise.all([serveUdp(options, address), serveTcp(options, address)]);
  }
}

/** The reply to a query; undefined when there is nothing to say. */
export async function resolveQuery(options: Pick<DnsOptions, 'zone' | 'objects' | 'resolvers' | 'signal'>, query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
  const { zone, objects, resolvers, signal } = options;
  const reply = replyTo(query, zone, objects);
  if (reply === undefined) return undefined;
  if ('bytes' in reply) return reply.bytes;
  if ('forward' in reply) return (await forwardQuery(query, resolvers, transport, signal)) ?? serverFailure(query.readUInt16BE(0));
  const [question] = reply.query.questions ?? [];
  const onward = dns.encode({ type: 'query', id: reply.query.id ?? 0, flags: dns.RECURSION_DESIRED, questions: [{ name: reply.chase, type: question?.type ?? 'A' }] });
  const inside = replyTo(onward, zone, objects);
  const bytes = inside !== undefined && 'bytes' in inside ? inside.bytes : await forwardQuery(onward, resolvers, transport, signal);
  const more: Packet['answers'] = bytes === undefined ? [] : (dns.decode(bytes).answers ?? []);
  return encodeAnswer(reply.query, reply.answer, zone, more);
}

async function serveUdp(options: DnsOptions, address: string): Promise<void> {
  const socket = dgram.createSocket(net.isIP(address) === 6 ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
  socket.on('message', (query, peer) => {
    void resolveQuery(options, query, 'udp').then((reply) => {
      if (reply !== undefined && !options.signal.aborted) socket.send(fitUdp(query, reply), peer.port, peer.address);
    }).catch((error: unknown) => options.log.warn({ err: error }, 'a DNS query could not be answered'));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port: options.port }, resolve);
  });
  socket.on('error', (error) => options.log.warn({ err: error }, 'DNS socket'));
  options.signal.addEventListener('abort', () => socket.close(), { once: true });
}

async function serveTcp(options: DnsOptions, address: string): Promise<void> {
  const server = net.createServer((socket) => {
    let have: Buffer = Buffer.alloc(0);
    let last: Promise<void> = Promise.resolve();
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      have = Buffer.concat([have, chunk]);
      while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
        const query = have.subarray(2, 2 + have.readUInt16BE(0));
        have = have.subarray(2 + query.length);
        last = last.then(async () => {
          const reply = await resolveQuery(options, query, 'tcp');
          if (reply === undefined || socket.destroyed) return;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        }).catch((error: unknown) => {
          options.log.warn({ err: error }, 'a DNS query could not be answered');
          socket.destroy();
        });
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, address, resolve);
  });
  options.signal.addEventListener('abort', () => { server.close(); }, { once: true });
}
