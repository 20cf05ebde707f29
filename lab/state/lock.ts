// One `up` or `down` at a time per lab. The lock is an abstract Unix socket: the kernel drops it with its process, so that
// a killed `up` leaves no stale lock file.
import { createServer } from 'node:net';
import { LabError } from '../errors.ts';
import type { LabNames } from './names.ts';

export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

export async function takeLock(names: LabNames): Promise<Lock> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE'
        ? new LabError('EBUSY', `another 'podwire up' or 'down' is at work on ${names.stateDir}; wait until it has ended`)
        : error);
    });
    server.listen(`\0podwire-lab-${names.id}`, resolve);
  });
  server.unref();
  const release = (): Promise<void> => new Promise((resolve) => { server.close(() => resolve()); });
  return { release, [Symbol.asyncDispose]: release };
}
