// exec and attach over a WebSocket: the first byte of a message is its channel. v5 adds "channel closed" (255), by which stdin ends.
import { PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RemoteChannels } from './channels.ts';
import type { StreamOptions } from './request.ts';

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

export function websocketChannels(socket: WebSocket, options: StreamOptions): RemoteChannels {
  const stdin = options.stdin ? new PassThrough() : undefined;
  const resize = options.tty ? new PassThrough() : undefined;
  const inputs = new Map<number, PassThrough>();
  if (stdin !== undefined) inputs.set(channel.stdin, stdin);
  if (resize !== undefined) inputs.set(channel.resize, resize);
  socket.on('message', (data: Buffer) => {
    const [number] = data;
    if (number === undefined) return;
    if (number === channel.close) {
      inputs.get(data[1] ?? -1)?.end();
      return;
    }
    const input = inputs.get(number);
    if (input === undefined || input.writableEnded || data.length === 1) return;
    if (input.write(data.subarray(1))) return;
    socket.pause();
    input.once('drain', () => socket.resume());
  });
  const closed = new Promise<void>((resolve) => { socket.once('close', () => resolve()); });
  socket.on('error', () => socket.terminate());
  void closed.then(() => { for (const input of inputs.values()) input.end(); });
  const output = (number: number): Writable => new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== socket.OPEN) { done(); return; }
      socket.send(Buffer.concat([Buffer.from([number]), chunk]), () => done());
    },
  });
  // An empty message tells the client that the stream is open before the process has anything to say.
  if (options.stdout) socket.send(Buffer.from([channel.stdout]));
  return {
    stdin, resize,
    stdout: options.stdout ? output(channel.stdout) : undefined,
    stderr: options.stderr ? output(channel.stderr) : undefined,
    end: async (status) => {
      if (socket.readyState === socket.OPEN) {
        socket.send(Buffer.concat([Buffer.from([channel.error]), Buffer.from(JSON.stringify(status))]));
        socket.close(1000);
      }
      await closed;
    },
    onClosed: (listener) => void closed.then(listener),
  };
}
