import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { RpcServer } from 'dgram-rpc';
import type { Peer } from 'dgram-rpc';
import { padded, parseRequestLine, plainAddress } from './protocol.ts';
import type { ProbeAnswer } from './protocol.ts';

export interface Identity {
  readonly pod: string;
  readonly node: string;
}

export interface ProbeServer extends AsyncDisposable {
  readonly ports: readonly number[];
}

const MAX_REQUEST = 16 << 20;

/** TCP and dgram-rpc on each port, every address of both families. Port 0: any. */
export async function serveProbes(ports: readonly number[], identity: Identity): Promise<ProbeServer> {
  const closers: (() => Promise<void>)[] = [];
  const dispose = async (): Promise<void> => { for (const close of closers.splice(0)) await close(); };
  try {
    const bound: number[] = [];
    for (const wanted of ports) {
      const { port, closeBoth } = await bothOn(wanted, identity, wanted === 0 ? anyPortTries : 1);
      closers.push(closeBoth);
      bound.push(port);
    }
    return { ports: bound, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** "Any port" is the kernel's choice for UDP; another program may hold the same number in TCP. */
const anyPortTries = 20;

/** UDP and TCP on one port number. */
async function bothOn(wanted: number, identity: Identity, tries: number): Promise<{ readonly port: number; readonly closeBoth: () => Promise<void> }> {
  const udp = await RpcServer.listen((payload, peer) => answerUdp(payload, peer, identity), { port: wanted, maxBytes: 65_000 });
  try {
    const closeTcp = await serveTcp(udp.port, identity);
    return { port: udp.port, closeBoth: async () => { await Promise.all([udp.close(), closeTcp()]); } };
  } catch (error) {
    await udp.close();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries <= 1) throw error;
    return bothOn(wanted, identity, tries - 1);
  }
}

function answerUdp(payload: Buffer, peer: Peer, identity: Identity): Buffer {
  const request = parseRequestLine(payload.toString('latin1', 0, payload.indexOf(10) < 0 ? 0 : payload.indexOf(10)));
  if (request === undefined) throw new Error('not a probe');
  const answer: ProbeAnswer = { ...identity, source: plainAddress(peer.address), sourcePort: peer.port, nonce: request.nonce };
  return padded(JSON.stringify(answer), request.size);
}

async function serveTcp(port: number, identity: Identity): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy()); // a client that went away: its own affair
    answerTcp(socket, identity);
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(port, () => resolve(undefined));
  await promise;
  return async () => {
    for (const socket of open) socket.destroy();
    const closed = Promise.withResolvers<undefined>();
    server.close(() => closed.resolve(undefined));
    await closed.promise;
  };
}

function answerTcp(socket: Socket, identity: Identity): void {
  let received = Buffer.alloc(0);
  let length = 0;
  let request: ReturnType<typeof parseRequestLine>;
  let headerBytes = 0;
  socket.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (request === undefined) {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf(10);
      if (end < 0) {
        if (received.length > 200) socket.destroy();
        return;
      }
      request = parseRequestLine(received.toString('latin1', 0, end));
      if (request === undefined || request.size > MAX_REQUEST) {
        socket.destroy();
        return;
      }
      headerBytes = end + 1;
      received = Buffer.alloc(0);
    }
    if (length < headerBytes + request.size) return;
    const answer: ProbeAnswer = {
      ...identity, source: plainAddress(socket.remoteAddress ?? ''), sourcePort: socket.remotePort ?? 0, local: plainAddress(socket.localAddress ?? ''), nonce: request.nonce,
    };
    socket.end(Buffer.concat([Buffer.from(`${JSON.stringify(answer)}\n`), Buffer.alloc(request.size, 0x2e)]));
  });
}
