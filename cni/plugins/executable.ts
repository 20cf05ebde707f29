import { readFileSync, writeSync } from 'node:fs';
import { CniError, cniCode } from '../protocol/errors.ts';
import { failure, runPlugin } from './run.ts';
import type { Outcome } from './run.ts';

/** The process around `runPlugin`: standard input, standard output, exit code; a crash too ends as CNI's JSON. */
export async function runExecutable(name: string): Promise<void> {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, (error: unknown) => finish(failure(error)));
  finish(await runPlugin(name, process.env, readInput));
}

function readInput(): string {
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    throw new CniError(cniCode.io, `standard input cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function finish({ exitCode, stdout, stderr }: Outcome): never {
  write(2, stderr);
  write(1, stdout);
  process.exit(exitCode);
}

/** Synchronous, so that all is out before the exit; a full pipe is waited for. */
function write(fd: number, text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}
