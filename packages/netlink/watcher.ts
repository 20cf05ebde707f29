// The main thread's side of subscriptions: owns the worker, hands sockets over, hears their messages.
import { Worker } from 'node:worker_threads';
import { ENOBUFS, NetlinkError } from './errors.ts';
import * as libc from './libc.ts';
import { parseMessages } from './message.ts';
import type { NetlinkMessage } from './message.ts';
import type { NetlinkSocket } from './socket.ts';
import type { FromWatcher, ToWatcher } from './watcher-thread.ts';

export interface Listener {
  readonly onMessage: (message: NetlinkMessage) => void;
  readonly onOverrun: ((error: NetlinkError) => void) | undefined;
}

interface Watcher {
  readonly worker: Worker;
  readonly wakeFd: number;
  readonly backlog: Int32Array;
  readonly listeners: Map<number, { readonly socket: NetlinkSocket; readonly listener: Listener }>;
}

let current: Watcher | undefined;
let lastId = 0;

const wake = (watcher: Watcher): void => { libc.write(watcher.wakeFd, BigUint64Array.of(1n), 8); };

function tell(watcher: Watcher, message: ToWatcher): void {
  watcher.worker.postMessage(message);
  wake(watcher);
}

function start(): Watcher {
  const wakeFd = libc.eventfd(0, libc.EFD_CLOEXEC | libc.EFD_NONBLOCK);
  if (wakeFd < 0) throw new NetlinkError('eventfd', libc.lastErrno());
  const backlog = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./watcher-thread.ts', import.meta.url), { workerData: { wakeFd, backlog }, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 128 } });
  const watcher: Watcher = { worker, wakeFd, backlog, listeners: new Map() };
  worker.on('message', (message: FromWatcher) => hear(watcher, message));
  worker.on('exit', () => {
    process.off('exit', stopAtExit);
    libc.close(wakeFd);
  });
  process.on('exit', stopAtExit);
  return watcher;
}

// Node waits for its workers when it exits, and a thread inside poll(2) hears only its eventfd.
function stopAtExit(): void {
  if (current !== undefined) tell(current, { kind: 'stop' });
}

function hear(watcher: Watcher, message: FromWatcher): void {
  if (message.kind === 'closed') {
    watcher.listeners.get(message.id)?.socket.close();
    watcher.listeners.delete(message.id);
    if (watcher.listeners.size === 0 && current === watcher) {
      current = undefined;
      tell(watcher, { kind: 'stop' });
    }
    return;
  }
  if (message.kind === 'data') {
    const before = Atomics.sub(watcher.backlog, 0, message.bytes.length);
    if (before >= message.highWater) wake(watcher);
  }
  const entry = watcher.listeners.get(message.id);
  if (entry === undefined) return;
  if (message.kind === 'error') {
    const error = new NetlinkError('netlink subscription', message.errno);
    if (message.errno !== ENOBUFS) throw error;
    entry.listener.onOverrun?.(error);
    return;
  }
  for (const each of parseMessages(Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength))) entry.listener.onMessage(each);
}

/** Delivers what arrives on `socket` until `signal` aborts; then the socket is closed. */
export function watchSocket(socket: NetlinkSocket, listener: Listener, signal: AbortSignal): void {
  current ??= start();
  const watcher = current;
  lastId += 1;
  const id = lastId;
  let isActive = true;
  watcher.listeners.set(id, {
    socket,
    listener: {
      onMessage: (message) => { if (isActive) listener.onMessage(message); },
      onOverrun: (error) => { if (isActive) listener.onOverrun?.(error); },
    },
  });
  tell(watcher, { kind: 'add', id, fd: socket.fd });
  signal.addEventListener('abort', () => {
    isActive = false;
    tell(watcher, { kind: 'remove', id });
  }, { once: true });
}
