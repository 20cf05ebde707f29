// Long-lived netlink events. One worker thread per process sleeps in poll(2) over all subscribed sockets and an eventfd; when nothing
// happens, nothing runs: no libuv pool thread is held, no timer ticks.
import type { NetlinkError } from './errors.ts';
import type { NetlinkMessage } from './message.ts';
import { NetlinkSocket } from './socket.ts';
import type { NetlinkSocketOptions } from './socket.ts';
import { watchSocket } from './watcher.ts';

export interface SubscribeOptions extends NetlinkSocketOptions {
  /** Called with an ENOBUFS NetlinkError when events were lost: read the state again. The subscription goes on. */
  readonly onOverrun?: (error: NetlinkError) => void;
}

/**
 * Joins multicast `groups` of `protocol` and calls `onMessage` for every message until `signal` aborts. Returns when the socket is bound,
 * so that an event caused after the call is never missed. A throwing listener is an uncaught exception, as with EventEmitter.
 * Like a listening server, a subscription keeps the process alive.
 */
export function subscribe(protocol: number, groups: readonly number[], onMessage: (message: NetlinkMessage) => void, signal: AbortSignal, options: SubscribeOptions = {}): void {
  signal.throwIfAborted();
  const { onOverrun, ...socketOptions } = options;
  const socket = NetlinkSocket.open(protocol, { ...socketOptions, groups });
  watchSocket(socket, { onMessage, onOverrun }, signal);
}
