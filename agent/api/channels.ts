// The five channels of exec and attach, whatever carries them.
import type { Readable, Writable } from 'node:stream';
import type { ContainerStreams } from '../runtime/runtime.ts';
import { exitStatus, failureStatus } from './remote-status.ts';

export interface RemoteChannels {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Lines of JSON {"Width": N, "Height": N}. */
  readonly resize: Readable | undefined;
  /** The one last word: a Status object. */
  end(status: object): Promise<void>;
  /** Called when the client is gone. */
  onClosed(listener: () => void): void;
}

/** Connects a client to a process in a container until the process ends or the client goes. */
export async function relay(channels: RemoteChannels, open: () => Promise<ContainerStreams>): Promise<void> {
  let streams: ContainerStreams;
  try {
    streams = await open();
  } catch (error) {
    await channels.end(failureStatus(error instanceof Error ? error.message : String(error)));
    return;
  }
  channels.onClosed(() => streams.destroy());
  streams.stdin.on('error', () => undefined);
  channels.stdin?.on('error', () => undefined);
  channels.stdin?.pipe(streams.stdin, { end: true });
  followResize(channels.resize, streams);
  const outputs = Promise.all([drain(streams.stdout, channels.stdout), drain(streams.stderr, channels.stderr)]);
  try {
    const exitCode = await streams.exit;
    await outputs;
    await channels.end(exitStatus(exitCode));
  } catch (error) {
    await channels.end(failureStatus(error instanceof Error ? error.message : String(error)));
  }
}

function followResize(resize: Readable | undefined, streams: ContainerStreams): void {
  let text = '';
  resize?.on('error', () => undefined);
  resize?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (;;) {
      const end = text.indexOf('}');
      if (end < 0) return;
      const piece = text.slice(0, end + 1);
      text = text.slice(end + 1);
      try {
        const size = JSON.parse(piece) as { Width?: number; Height?: number };
        // A process that has just ended cannot be resized: of no interest to anybody.
        if (size.Width !== undefined && size.Height !== undefined) streams.resize(size.Width, size.Height).catch(() => undefined);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
  });
}

/** Copies to the end; resolves when everything is handed over, or when nobody listens any more. */
function drain(source: Readable, target: Writable | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (target === undefined) {
      source.resume();
      source.once('close', resolve);
      source.once('end', resolve);
      return;
    }
    target.on('error', () => resolve());
    target.once('finish', resolve);
    target.once('close', resolve);
    source.pipe(target);
  });
}
