// Running a program to its end: argv arrays, no shell, its error text in the error.
import { execFile } from 'node:child_process';

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: number;
  constructor(argv: readonly string[], result: RunResult) {
    super(`${argv.join(' ')}: exit ${result.code}: ${(result.stderr || result.stdout).trim()}`);
    this.code = result.code;
  }
}

export function tryRun(argv: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<RunResult> {
  const [command = '', ...args] = argv;
  return new Promise((resolve) => {
    execFile(command, args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024, ...options }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ code, stdout, stderr: code === 127 && stderr === '' ? (error?.message ?? '') : stderr });
    });
  });
}

/** The program's standard output. Throws a CommandError when it fails. */
export async function run(argv: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const result = await tryRun(argv, options);
  if (result.code !== 0) throw new CommandError(argv, result);
  return result.stdout;
}
