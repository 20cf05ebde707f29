import type { ServerResponse } from 'node:http';
import type { WatchSink } from '../rest/watch.ts';

/** A client that reads this much too slowly is cut off and lists again. */
const maxBufferedBytes = 64 * 1024 * 1024;

/** Chunked JSON lines; all lines of one turn of the event loop leave in one write. */
export function openWatchSink(response: ServerResponse): WatchSink {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  let pending: string[] = [];
  const flush = (): void => {
    if (pending.length === 0 || response.destroyed || response.writableEnded) return;
    const text = pending.join('');
    pending = [];
    response.write(text);
    if (response.writableLength > maxBufferedBytes) response.destroy();
  };
  return {
    send(line) {
      if (pending.push(line) === 1) setImmediate(flush);
    },
    end() {
      flush();
      response.end();
    },
  };
}
