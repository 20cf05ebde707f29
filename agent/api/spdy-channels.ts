// exec and attach over SPDY/3.1: the client opens one stream per channel, named by its `streamtype` header.
import type { Duplex } from 'node:stream';
import type { RemoteChannels } from './channels.ts';
import type { StreamOptions } from './request.ts';
import { SpdyConnection } from './spdy.ts';
import type { SpdyStream } from './spdy.ts';

const openTimeoutMs = 30_000;

/** Resolves when the client has opened every stream that it asked for; rejects when it does not. */
export function spdyChannels(socket: Duplex, options: StreamOptions): Promise<RemoteChannels> {
  const wanted = ['error', ...(options.stdin ? ['stdin'] : []), ...(options.stdout ? ['stdout'] : []), ...(options.stderr ? ['stderr'] : []), ...(options.tty ? ['resize'] : [])];
  const streams = new Map<string, SpdyStream>();
  const listeners = new Set<() => void>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`the client opened ${[...streams.keys()].join(', ') || 'no stream'} of ${wanted.join(', ')} in ${openTimeoutMs / 1000}s`));
      connection.close();
    }, openTimeoutMs);
    const connection: SpdyConnection = new SpdyConnection(socket, {
      stream: (stream) => {
        streams.set(stream.headers['streamtype'] ?? '', stream);
        if (!wanted.every((name) => streams.has(name))) return;
        clearTimeout(timer);
        resolve({
          stdin: streams.get('stdin'), stdout: streams.get('stdout'), stderr: streams.get('stderr'), resize: streams.get('resize'),
          end: async (status) => {
            const error = streams.get('error');
            await new Promise<void>((done) => {
              if (error === undefined || error.destroyed) { done(); return; }
              error.once('close', done);
              error.end(JSON.stringify(status), done);
            });
            connection.close();
          },
          onClosed: (listener) => listeners.add(listener),
        });
      },
      closed: () => {
        clearTimeout(timer);
        for (const listener of listeners) listener();
        listeners.clear();
      },
    });
    void connection.run();
  });
}
