// One netlink socket, used synchronously: a request costs a send and a few receives, no thread and no event loop turn.
import { EAGAIN, EBUSY, EINTR, EMSGSIZE, ENOBUFS, ETIMEDOUT, NetlinkError } from './errors.ts';
import * as libc from './libc.ts';
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, parseAck, parseMessages } from './message.ts';
import type { NetlinkAck, NetlinkMessage } from './message.ts';
import { withNetns } from './thread-netns.ts';
import { NetlinkWriter } from './writer.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

export interface NetlinkSocketOptions {
  /** Path of a network namespace (`/run/netns/NAME`, `/proc/PID/ns/net`); the socket serves it for its whole life. Default: the thread's own. */
  readonly netns?: string;
  /** Multicast groups (RTNLGRP_*, NFNLGRP_*) to join. */
  readonly groups?: readonly number[];
  /** Messages that this port id caused are dropped in the kernel (SO_ATTACH_FILTER): a program that watches for others' changes is not woken by its own. */
  readonly ignorePortId?: number;
  /** How long one receive may wait. Default 10 s. */
  readonly timeoutMs?: number;
  /** SO_SNDBUF: the longest batch that one `send` takes. Default 1 MiB; beyond net.core.wmem_max it needs CAP_NET_ADMIN. */
  readonly sendBufferBytes?: number;
  /** SO_RCVBUF. Default 4 MiB. */
  readonly receiveBufferBytes?: number;
  /** NETLINK_GET_STRICT_CHK: the kernel filters dumps by the header's fields. For rtnetlink. Default off. */
  readonly isStrict?: boolean;
}

export interface RequestOptions {
  /** Words for the error: the command that this request stands for. */
  readonly operation?: string;
}

/** What came of a batch. Sequence numbers are the batch's own. */
export interface TransactionReport {
  /** In the order in which the kernel sent them; the first is usually the cause. */
  readonly errors: readonly NetlinkAck[];
  /** Successful acknowledgements (only of messages with NLM_F_ACK). */
  readonly acks: readonly NetlinkAck[];
  /** Everything else: echoes (NLM_F_ECHO), answers to gets. */
  readonly messages: readonly NetlinkMessage[];
  /** True when the receive buffer overran: some acks or errors are lost, the outcome must be read back. */
  readonly isOverrun: boolean;
}

const DUMP_ATTEMPTS = 8;
const RECEIVE_BYTES = 256 * 1024;
const kernelAddress = Buffer.alloc(12);
kernelAddress.writeUInt16LE(libc.AF_NETLINK, 0);
// One receive buffer for all sockets of the thread: every use is synchronous and copies out what it keeps.
const receiveBuffer = Buffer.alloc(RECEIVE_BYTES);

function setInt(fd: number, level: number, option: number, value: number): boolean {
  return libc.setsockopt(fd, level, option, Int32Array.of(value), 4) === 0;
}

/** Classic BPF over the first nlmsghdr of a datagram: nlmsg_pid is at byte 12. The load is big-endian, the field is not. */
function dropPortId(portId: number): readonly libc.BpfInstruction[] {
  const swapped = Buffer.alloc(4);
  swapped.writeUInt32LE(portId);
  return [
    { code: 0x20, jt: 0, jf: 0, k: 12 }, // ld [12]
    { code: 0x15, jt: 0, jf: 1, k: swapped.readUInt32BE() }, // jeq portId
    { code: 0x06, jt: 0, jf: 0, k: 0 }, // ret 0: drop
    { code: 0x06, jt: 0, jf: 0, k: 0xffffffff }, // ret all
  ];
}

function prepare(fd: number, options: NetlinkSocketOptions): number {
  const fail = (operation: string): never => { throw new NetlinkError(`netlink socket: ${operation}`, libc.lastErrno()); };
  const timeoutMs = options.timeoutMs ?? 10_000;
  const timeval = BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), BigInt((timeoutMs % 1000) * 1000));
  if (libc.setsockopt(fd, libc.SOL_SOCKET, libc.SO_RCVTIMEO, timeval, 16) !== 0) fail('SO_RCVTIMEO');
  const sendBytes = options.sendBufferBytes ?? 1 << 20;
  const receiveBytes = options.receiveBufferBytes ?? 4 << 20;
  if (!setInt(fd, libc.SOL_SOCKET, libc.SO_SNDBUFFORCE, sendBytes)) setInt(fd, libc.SOL_SOCKET, libc.SO_SNDBUF, sendBytes);
  if (!setInt(fd, libc.SOL_SOCKET, libc.SO_RCVBUFFORCE, receiveBytes)) setInt(fd, libc.SOL_SOCKET, libc.SO_RCVBUF, receiveBytes);
  if (!setInt(fd, libc.SOL_NETLINK, libc.NETLINK_EXT_ACK, 1)) fail('NETLINK_EXT_ACK');
  if (!setInt(fd, libc.SOL_NETLINK, libc.NETLINK_CAP_ACK, 1)) fail('NETLINK_CAP_ACK');
  if (options.isStrict === true && !setInt(fd, libc.SOL_NETLINK, libc.NETLINK_GET_STRICT_CHK, 1)) fail('NETLINK_GET_STRICT_CHK');
  const address = Buffer.alloc(12);
  address.writeUInt16LE(libc.AF_NETLINK, 0);
  if (libc.bind(fd, address, 12) !== 0) fail('bind');
  if (options.ignorePortId !== undefined && !libc.attachFilter(fd, dropPortId(options.ignorePortId))) fail('SO_ATTACH_FILTER');
  for (const group of options.groups ?? []) {
    if (!setInt(fd, libc.SOL_NETLINK, libc.NETLINK_ADD_MEMBERSHIP, group)) fail(`join multicast group ${group}`);
  }
  if (libc.getsockname(fd, address, Uint32Array.of(12)) !== 0) fail('getsockname');
  return address.readUInt32LE(4);
}

export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  readonly #portId: number;
  readonly #writer = new NetlinkWriter();
  #sequence = 0;
  #isClosed = false;

  private constructor(fd: number, portId: number) {
    this.#fd = fd;
    this.#portId = portId;
  }

  /** Opens and binds a socket; extended ack always on. The socket stays in the namespace it was opened in. */
  static open(protocol: number, options: NetlinkSocketOptions = {}): NetlinkSocket {
    return withNetns(options.netns, () => {
      const fd = libc.socket(libc.AF_NETLINK, libc.SOCK_RAW | libc.SOCK_CLOEXEC, protocol);
      if (fd < 0) throw new NetlinkError(`open netlink socket, protocol ${protocol}`, libc.lastErrno());
      try {
        return new NetlinkSocket(fd, prepare(fd, options));
      } catch (error) {
        libc.close(fd);
        throw error;
      }
    });
  }

  /** The address that the kernel gave this socket: notifications that it caused itself carry it. */
  get portId(): number { return this.#portId; }

  /** The file descriptor, for poll. */
  get fd(): number { return this.#fd; }

  /** A sequence number that this socket has not used yet. */
  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0 || 1;
    return this.#sequence;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    libc.close(this.#fd);
  }

  [Symbol.dispose](): void { this.close(); }

  /** Sends one datagram (one or many messages) to the kernel. EMSGSIZE or ENOBUFS: larger than `sendBufferBytes` allows. */
  send(bytes: Uint8Array, operation = 'netlink send'): void {
    this.#checkOpen(operation);
    for (;;) {
      const sent = libc.sendto(this.#fd, bytes, bytes.length, 0, kernelAddress, 12);
      if (sent === bytes.length) return;
      if (sent >= 0) throw new NetlinkError(operation, EMSGSIZE, { kernelText: `${sent} of ${bytes.length} bytes sent` });
      const errno = libc.lastErrno();
      if (errno !== EINTR) throw new NetlinkError(operation, errno, errno === ENOBUFS || errno === EMSGSIZE ? { kernelText: `a batch of ${bytes.length} bytes does not fit the send buffer` } : {});
    }
  }

  /** Waits for one datagram and returns its messages. Throws ETIMEDOUT after `timeoutMs`, ENOBUFS when messages were lost. */
  receive(operation = 'netlink receive'): NetlinkMessage[] {
    const datagram = this.#receive(0, operation);
    if (datagram === undefined) throw new NetlinkError(operation, ETIMEDOUT);
    return parseMessages(datagram);
  }

  /** Waits up to `timeoutMs` (0: does not wait) and returns undefined when nothing came. */
  tryReceive(timeoutMs = 0, operation = 'netlink receive'): NetlinkMessage[] | undefined {
    if (timeoutMs > 0) {
      const pollfd = Buffer.alloc(8);
      pollfd.writeInt32LE(this.#fd, 0);
      pollfd.writeInt16LE(libc.POLLIN, 4);
      if (libc.poll(pollfd, 1, timeoutMs) === 0) return undefined;
    }
    const datagram = this.#receive(libc.MSG_DONTWAIT, operation);
    return datagram === undefined ? undefined : parseMessages(datagram);
  }

  /**
   * Sends one request and returns the replies, without the acknowledgement. A refused request throws NetlinkError with the kernel's
   * own text. With NLM_F_DUMP all parts are collected; a dump that changed underneath (NLM_F_DUMP_INTR) is repeated.
   */
  request(type: number, flags: number, payload: Uint8Array, options: RequestOptions = {}): NetlinkMessage[] {
    const operation = options.operation ?? `netlink request ${type}`;
    const isDump = (flags & NLM_F_DUMP) === NLM_F_DUMP && (flags & NLM_F_ACK) === 0;
    for (let attempt = 1; ; attempt += 1) {
      const replies = this.#requestOnce(type, flags | NLM_F_REQUEST | (isDump ? 0 : NLM_F_ACK), payload, operation);
      if (replies !== undefined) return replies;
      if (attempt === DUMP_ATTEMPTS) throw new NetlinkError(operation, EINTR, { kernelText: `the table changed during each of ${DUMP_ATTEMPTS} dumps` });
    }
  }

  /**
   * Sends a batch and collects every answer. The kernel works through a batch inside `send` and queues all answers before it returns, so
   * reading until the queue is empty is complete: no end marker is needed and nothing is waited for.
   */
  transact(batch: Uint8Array, operation = 'netlink batch'): TransactionReport {
    this.send(batch, operation);
    const errors: NetlinkAck[] = [];
    const acks: NetlinkAck[] = [];
    const messages: NetlinkMessage[] = [];
    let isOverrun = false;
    for (;;) {
      try {
        const received = this.tryReceive(0, operation);
        if (received === undefined) return { errors, acks, messages, isOverrun };
        for (const message of received) {
          if (message.type === NLMSG_ERROR) {
            const ack = parseAck(message);
            (ack.errno === 0 ? acks : errors).push(ack);
          } else if (message.type !== NLMSG_NOOP && message.type !== NLMSG_DONE) {
            messages.push(message);
          }
        }
      } catch (error) {
        if (!(error instanceof NetlinkError) || error.errno !== ENOBUFS) throw error;
        isOverrun = true;
      }
    }
  }

  #requestOnce(type: number, flags: number, payload: Uint8Array, operation: string): NetlinkMessage[] | undefined {
    const seq = this.nextSequence();
    const writer = this.#writer.reset();
    const mark = writer.beginMessage(type, flags, seq);
    writer.raw(payload).endMessage(mark);
    this.send(writer.bytes(), operation);
    const replies: NetlinkMessage[] = [];
    let isInterrupted = false;
    for (;;) {
      for (const message of this.receive(operation)) {
        // Left over from a request that timed out, or a multicast message: not ours.
        if (message.seq !== seq || (message.portId !== this.#portId && message.portId !== 0)) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) isInterrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const ack = parseAck(message);
          if (ack.errno === EBUSY && this.#discardPending() > 0) return undefined;
          if (ack.errno !== 0) throw new NetlinkError(operation, ack.errno, ack);
          return isInterrupted ? undefined : replies;
        }
        if (message.type !== NLMSG_NOOP) replies.push(message);
      }
    }
  }

  /** A socket runs one dump at a time: the rest of one that timed out stands in the way of the next. Returns how many messages went. */
  #discardPending(): number {
    let count = 0;
    for (let messages = this.tryReceive(); messages !== undefined; messages = this.tryReceive()) count += messages.length;
    return count;
  }

  #receive(flags: number, operation: string): Buffer | undefined {
    this.#checkOpen(operation);
    for (;;) {
      const length = libc.recv(this.#fd, receiveBuffer, RECEIVE_BYTES, flags | libc.MSG_TRUNC);
      if (length > RECEIVE_BYTES) throw new NetlinkError(operation, EMSGSIZE, { kernelText: `a datagram of ${length} bytes; ${RECEIVE_BYTES} fit` });
      if (length >= 0) return Buffer.from(receiveBuffer.subarray(0, length));
      const errno = libc.lastErrno();
      if (errno === EAGAIN) return undefined;
      if (errno !== EINTR) throw new NetlinkError(operation, errno);
    }
  }

  #checkOpen(operation: string): void {
    if (this.#isClosed) throw new Error(`${operation}: the netlink socket is closed`);
  }
}
