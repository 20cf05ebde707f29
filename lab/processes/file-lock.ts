// A lock between processes: flock(1) holds it for us, and the kernel gives it back when we end, however we end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LabError } from '../errors.ts';

/**
 * flock FILE: waits until nobody else holds the lock. Disposing of the result gives it back. The file is made and stays: removing it would
 * let two processes lock two files of one name.
 */
export async function lockFile(file: string): Promise<AsyncDisposable> {
  // cat ends with its standard input, which closes when we release it or die.
  const holder = spawn('/usr/bin/flock', [file, '/bin/sh', '-c', 'echo held; exec /bin/cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  const [first] = (await Promise.race([once(holder.stdout, 'data'), ended])) as readonly unknown[];
  if (!(first instanceof Buffer)) throw new LabError('EFAILED', `${file} cannot be locked: flock ended with ${String(first)}; see above`);
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}
