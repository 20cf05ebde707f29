// Runs a command in a container and collects its output: exec probes and hooks.
import type { ContainerRuntime } from '../runtime/runtime.ts';

const keep = 10_240;

export interface ExecResult { readonly exitCode: number; readonly output: string }

/** Throws when the command does not end in time. */
export async function execOnce(runtime: ContainerRuntime, id: string, command: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<ExecResult> {
  const streams = await runtime.streams.exec(id, { command, stdin: false, tty: false }, signal);
  let output = '';
  const collect = (chunk: Buffer): void => {
    if (output.length < keep) output += chunk.toString('utf8');
  };
  const read = [streams.stdout, streams.stderr].map((stream) => new Promise<void>((resolve) => {
    stream.on('data', collect);
    for (const over of ['end', 'close', 'error']) stream.once(over, () => resolve());
  }));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`command ${JSON.stringify(command)} timed out after ${timeoutMs / 1000}s`)), timeoutMs);
  });
  try {
    const exitCode = await Promise.race([streams.exit, late]);
    await Promise.race([Promise.all(read), late]);
    return { exitCode, output };
  } finally {
    clearTimeout(timer);
    streams.exit.catch(() => undefined);
    streams.destroy();
  }
}
