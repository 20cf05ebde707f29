// Runs in a worker thread, inside poll(2) nearly all its life. Reads sockets that other threads opened; never opens or closes one.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { EAGAIN, EINTR } from './errors.ts';
import * as libc from './libc.ts';

export type ToWatcher =
  | { readonly kind: 'add'; readonly id: number; readonly fd: number }
  | { readonly kind: 'remove'; readonly id: number }
  | { readonly kind: 'stop' };

export type FromWatcher =
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Uint8Array; readonly highWater: number }
  | { readonly kind: 'error'; readonly id: number; readonly errno: number }
  /** The worker no longer looks at the socket: the owner may close it. */
  | { readonly kind: 'closed'; readonly id: number };

// Undelivered bytes at which the worker stops reading. The kernel's buffer then fills and ENOBUFS tells the listener, instead of memory growing without bound.
const HIGH_WATER = 16 << 20;
const RECEIVE_BYTES = 256 * 1024;
const DATAGRAMS_PER_TURN = 64;

const { wakeFd, backlog } = workerData as { readonly wakeFd: number; readonly backlog: Int32Array<SharedArrayBuffer> };
const port = parentPort;
const sockets = new Map<number, number>();
const buffer = Buffer.alloc(RECEIVE_BYTES);
const post = (message: FromWatcher, transfer: readonly ArrayBuffer[] = []): void => port?.postMessage(message, transfer);

/** Takes the commands that are waiting; false: stop. */
function takeCommands(): boolean {
  libc.read(wakeFd, new BigUint64Array(1), 8);
  if (port === null) return false;
  for (let next: { message: ToWatcher } | undefined = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const command = next.message;
    if (command.kind === 'stop') return false;
    if (command.kind === 'add') {
      sockets.set(command.id, command.fd);
    } else {
      sockets.delete(command.id);
      post({ kind: 'closed', id: command.id });
    }
  }
  return true;
}

function drain(id: number, fd: number): void {
  for (let count = 0; count < DATAGRAMS_PER_TURN; count += 1) {
    const length = libc.recv(fd, buffer, RECEIVE_BYTES, libc.MSG_DONTWAIT);
    if (length < 0) {
      const errno = libc.lastErrno();
      if (errno === EAGAIN) return;
      if (errno === EINTR) continue;
      post({ kind: 'error', id, errno });
      return;
    }
    const bytes = new Uint8Array(length);
    bytes.set(buffer.subarray(0, length));
    Atomics.add(backlog, 0, length);
    post({ kind: 'data', id, bytes, highWater: HIGH_WATER }, [bytes.buffer]);
  }
}

function run(): void {
  for (;;) {
    const isFull = Atomics.load(backlog, 0) >= HIGH_WATER;
    const watched = isFull ? [] : [...sockets];
    const pollfds = Buffer.alloc(8 * (watched.length + 1));
    [wakeFd, ...watched.map(([, fd]) => fd)].forEach((fd, index) => {
      pollfds.writeInt32LE(fd, index * 8);
      pollfds.writeInt16LE(libc.POLLIN, index * 8 + 4);
    });
    if (libc.poll(pollfds, watched.length + 1, -1) < 0) continue;
    if (pollfds.readInt16LE(6) !== 0 && !takeCommands()) return;
    watched.forEach(([id, fd], index) => {
      if (sockets.has(id) && pollfds.readInt16LE(8 * (index + 1) + 6) !== 0) drain(id, fd);
    });
  }
}

run();
port?.close();
