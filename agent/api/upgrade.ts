// The answers that turn an HTTP request into a stream.
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { HttpError } from './request.ts';

export type UpgradeKind = 'websocket' | 'spdy';

/** Which upgrade a request asks for. */
export function upgradeKind(request: IncomingMessage): UpgradeKind {
  const wanted = (request.headers.upgrade ?? '').toLowerCase();
  if (wanted === 'websocket') return 'websocket';
  if (wanted === 'spdy/3.1') return 'spdy';
  throw new HttpError(400, `unable to upgrade: "${request.headers.upgrade ?? ''}" is neither SPDY/3.1 nor websocket`);
}

export function offered(request: IncomingMessage, header: 'sec-websocket-protocol' | 'x-stream-protocol-version'): string[] {
  return String(request.headers[header] ?? '').split(',').map((protocol) => protocol.trim()).filter((protocol) => protocol !== '');
}

/** The first of our protocols that the client offers. */
export function chooseProtocol(ours: readonly string[], theirs: readonly string[]): string {
  const chosen = ours.find((protocol) => theirs.includes(protocol));
  if (chosen === undefined) throw new HttpError(403, `unable to upgrade: the client offers ${theirs.join(', ') || 'no protocol'}, the node speaks ${ours.join(', ')}`);
  return chosen;
}

export function acceptSpdy(socket: Duplex, protocol: string): void {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
}

/** `ws` refuses the "/" in SPDY/3.1+portforward.k8s.io: the header is taken from it, and the answer's header written by hand. */
export async function acceptWebsocket(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 });
  delete request.headers['sec-websocket-protocol'];
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the client went away')));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** The bytes in a WebSocket's binary messages as one stream: SPDY inside a WebSocket. */
export function websocketBytes(socket: WebSocket): Duplex {
  const stream = new Duplex({
    read() { socket.resume(); },
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== socket.OPEN) { done(); return; }
      socket.send(chunk, () => done());
    },
    final(done) {
      socket.close(1000);
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (data: Buffer) => { if (!stream.push(data)) socket.pause(); });
  socket.once('close', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  return stream;
}
