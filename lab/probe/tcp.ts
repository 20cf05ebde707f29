// One conversation over one TCP connection, with a deadline.
import { connect } from 'node:net';
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import { ProbeError, TIMEOUT } from './errors.ts';

export interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Connects; `talk` listens and says when it is over. Throws ProbeError ETIMEDOUT when nobody has said so in time, or the socket's error. Nothing stays open. */
export async function overTcp<T>(where: TcpSocketConnectOpts, timeoutMs: number, talk: (socket: Socket, settle: Settle<T>) => void): Promise<T> {
  const socket = connect(where);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new ProbeError('no answer', TIMEOUT)), timeoutMs);
  socket.on('error', reject);
  talk(socket, { resolve, reject });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
