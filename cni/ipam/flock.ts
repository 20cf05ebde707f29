import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const LOCK_EX = 2;
const EINTR = 4;
const flock = koffi.load(null).func('int flock(int, int)') as (fd: number, operation: number) => number;

/**
 * Runs `work` while holding `flock FILE` exclusively: the lock that the reference host-local takes, so both can share
 * one folder. `work` must be synchronous: a lock held across an await would block this same process on itself.
 */
export function withFileLock<T>(path: string, work: () => T): T {
  const fd = openSync(path, 'a', 0o644);
  try {
    while (flock(fd, LOCK_EX) !== 0) {
      if (koffi.errno() !== EINTR) throw new Error(`flock ${path}: errno ${koffi.errno()}`);
    }
    return work();
  } finally {
    closeSync(fd);
  }
}
