// port-forward: on one SPDY connection, each forwarded connection is a pair of streams (data and error) with one request id.
import type { Duplex } from 'node:stream';
import type net from 'node:net';
import { SpdyConnection } from './spdy.ts';
import type { SpdyStream } from './spdy.ts';

/** Throws, or gives a socket that may still fail. */
export type Dial = (port: number) => net.Socket;

interface Pair { data?: SpdyStream; error?: SpdyStream }

/** Serves a client's forwarded connections until it goes away. */
export async function servePortForward(socket: Duplex, dial: Dial, onError: (message: string) => void): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(socket, {
    stream: (stream) => {
      // Old clients send no request id and open error and data stream one after the other.
      const id = stream.headers['requestid'] ?? String(stream.headers['streamtype'] === 'error' ? stream.id : stream.id - 2);
      const pair = pairs.get(id) ?? {};
      if (stream.headers['streamtype'] === 'error') pair.error = stream;
      else pair.data = stream;
      pairs.set(id, pair);
      if (pair.data === undefined || pair.error === undefined) return;
      pairs.delete(id);
      forward(pair.data, pair.error, dial, onError);
    },
    closed: () => pairs.clear(),
  });
  await connection.run();
}

function forward(data: SpdyStream, error: SpdyStream, dial: Dial, onError: (message: string) => void): void {
  error.resume();
  const port = Number(data.headers['port']);
  try {
    const target = dial(port);
    target.on('error', (failure) => data.destroy(failure));
    target.once('close', () => { if (!data.writableEnded) data.end(); });
    data.once('close', () => target.destroy());
    data.pipe(target);
    target.pipe(data);
    error.end();
  } catch (failure) {
    const message = `failed to connect to localhost:${data.headers['port'] ?? ''} inside namespace of the pod: ${failure instanceof Error ? failure.message : String(failure)}`;
    onError(message);
    error.end(message);
    data.end();
  }
}
