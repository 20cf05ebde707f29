// Streams into and out of Docker containers: logs, exec, attach.
import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { joinOutputs, splitOutputs } from './demux.ts';
import { runtimeError } from './docker-errors.ts';
import type { ContainerStreams, Streams } from './runtime.ts';

interface Dial {
  dial(options: Record<string, unknown>, callback: (error: unknown, answer: unknown) => void): void;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

export function dockerStreams(docker: Docker, socketPath: string): Streams {
  // Container.logs() of dockerode reads the whole log into memory, and parses it when it happens to be JSON, unless it follows.
  const openLogs = (id: string, query: Record<string, unknown>, signal: AbortSignal): Promise<Readable> => new Promise((resolve, reject) => {
    (docker.modem as unknown as Dial).dial({
      path: `/containers/${id}/logs?`, method: 'GET', isStream: true, abortSignal: signal, options: query,
      statusCodes: { 101: true, 200: true, 404: 'no such container', 500: 'server error' },
    }, (error, answer) => {
      if (error !== null && error !== undefined) reject(error instanceof Error ? error : new Error('the request failed', { cause: error }));
      else resolve(answer as Readable);
    });
  });

  return {
    async logs(id, options, signal) {
      const operation = `logs of ${id.slice(0, 12)}`;
      try {
        const tty = (await docker.getContainer(id).inspect({ abortSignal: signal })).Config.Tty;
        const stream = await openLogs(id, {
          stdout: true, stderr: true, follow: options.follow, timestamps: options.timestamps,
          ...(options.tail === undefined ? {} : { tail: options.tail }),
          ...(options.since === undefined ? {} : { since: options.since.toFixed(9) }),
        }, signal);
        signal.addEventListener('abort', () => stream.destroy(), { once: true });
        return joinOutputs(stream, !tty);
      } catch (error) {
        throw runtimeError(operation, error, socketPath, signal);
      }
    },

    async exec(id, options, signal) {
      const operation = `exec in ${id.slice(0, 12)}`;
      try {
        const exec = await docker.getContainer(id).exec({
          Cmd: [...options.command], AttachStdin: options.stdin, AttachStdout: true, AttachStderr: true, Tty: options.tty, abortSignal: signal,
        });
        const socket = await exec.start({ hijack: true, stdin: options.stdin, Tty: options.tty, abortSignal: signal });
        const exitCode = async (): Promise<number> => {
          // The stream may end a moment before the engine has noted the exit.
          for (let tries = 0; tries < 200; tries += 1) {
            const state = await exec.inspect();
            if (!state.Running) return state.ExitCode ?? 0;
            await pause(Math.min(10 * (tries + 1), 100));
          }
          throw runtimeError(operation, new Error('its output ended, but it still runs'), socketPath);
        };
        return streamsOf(socket, options.tty, exitCode, async (w, h) => { await exec.resize({ w, h }); });
      } catch (error) {
        throw runtimeError(operation, error, socketPath, signal);
      }
    },

    async attach(id, options, signal) {
      try {
        const container = docker.getContainer(id);
        const socket = await container.attach({ hijack: true, stream: true, stdin: options.stdin, stdout: true, stderr: true, abortSignal: signal });
        return streamsOf(socket as unknown as Duplex, options.tty, () => Promise.resolve(0), async (w, h) => { await container.resize({ w, h }); });
      } catch (error) {
        throw runtimeError(`attach to ${id.slice(0, 12)}`, error, socketPath, signal);
      }
    },
  };
}

function streamsOf(socket: Duplex, tty: boolean, exitCode: () => Promise<number>, resize: (columns: number, rows: number) => Promise<void>): ContainerStreams {
  const outputs = splitOutputs(socket, !tty);
  const ended = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
    socket.once('error', () => resolve());
  });
  return {
    stdin: socket, stdout: outputs.stdout, stderr: outputs.stderr, resize,
    exit: ended.then(exitCode),
    destroy: () => socket.destroy(),
  };
}
