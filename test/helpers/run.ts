// Running programs in tests: argv arrays; the whole output in the error when a program fails that should not.
import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Runs it to its end, whatever its exit code (127 when it cannot be started, 124 when it takes too long). */
export function finish(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [command = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = execFile(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: options.timeoutMs ?? 120_000, killSignal: 'SIGKILL', ...(options.env === undefined ? {} : { env: options.env }), ...(options.cwd === undefined ? {} : { cwd: options.cwd }) }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : error.killed === true ? 124 : 127;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Its standard output. Throws with everything it printed when it fails. */
export async function succeed(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await finish(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stderr}\n${stdout}`);
  return stdout;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it printed so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

/** A program that runs on while the test looks at its output. */
export function background(argv: readonly string[], options: RunOptions = {}): Running {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { ...(options.env === undefined ? {} : { env: options.env }), ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
  child.stderr.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
  child.on('error', (error) => { text += String(error); });
  child.stdin.on('error', () => undefined);
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => { child.once('close', resolve); });
    child.kill('SIGKILL');
    await ended;
  };
  return { child, output: () => text, stop };
}
