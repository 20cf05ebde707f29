// The network namespace of the calling thread: which one it is, and how to be in another one for the length of a function.
import { closeSync, openSync, stat, statSync } from 'node:fs';
import { NetlinkError } from './errors.ts';
import { CLONE_NEWNET, lastErrno, setns, unshare } from './libc.ts';

const SELF = '/proc/thread-self/ns/net';
let isPoolStarted = false;

/**
 * libuv's pool threads are born in the namespace of the thread that first needs them. Submitting any job creates them all at
 * once, so this must happen before the first `setns`, or `fs.promises` and `dns` would act in a foreign namespace for ever.
 */
export function startThreadPool(): void {
  if (isPoolStarted) return;
  isPoolStarted = true;
  stat('/', () => undefined);
}

/** For a process that gives its thread pool no work while it is in another namespace: spares it the threads (a quarter of a millisecond). */
export function forgoThreadPool(): void {
  isPoolStarted = true;
}

function enter(fd: number, operation: string): void {
  if (setns(fd, CLONE_NEWNET) !== 0) throw new NetlinkError(operation, lastErrno());
}

/**
 * Runs `fn` with this thread in the namespace at `path` and comes back, also when `fn` throws. `ip netns exec NAME ...`, in-process.
 * `fn` must be synchronous: a promise would go on in the wrong namespace, so one is refused. What is created inside (sockets,
 * children, synchronous file I/O below /proc/sys/net) belongs to that namespace.
 */
export function withNetns<T>(path: string | undefined, fn: () => T): T {
  if (path === undefined) return fn();
  startThreadPool();
  const home = openSync(SELF, 'r');
  try {
    const target = openSync(path, 'r');
    try {
      enter(target, `enter network namespace ${path}`);
    } finally {
      closeSync(target);
    }
    try {
      const result = fn();
      if (result instanceof Promise) throw new TypeError('withNetns: the function is asynchronous and would continue outside the namespace; open what you need inside and use it outside');
      return result;
    } finally {
      enter(home, 'return from a network namespace');
    }
  } finally {
    closeSync(home);
  }
}

/** Moves this thread into a new, empty namespace for good (`unshare --net`): the first line of an integration test. */
export function unshareNetns(): void {
  if (unshare(CLONE_NEWNET) !== 0) throw new NetlinkError('unshare --net', lastErrno());
  startThreadPool();
}

/** Inode of this thread's network namespace (or of the one at `path`): equal inodes are the same namespace. */
export const currentNetns = (path: string = SELF): number => statSync(path).ino;
