// The rules that packets meet in one namespace: the kernel's trace messages (NFNLGRP_NFTRACE), read when asked for, so that none is
// still on its way when the trace is put together.
import { isNetlinkError, NETLINK_NETFILTER, NetlinkSocket } from '@podwire/netlink';
import { parseTraceMessage } from 'nftables-js';
import type { TraceEvent } from 'nftables-js';

const NFNLGRP_NFTRACE = 9;
/** Subsystem nf_tables (10), NFT_MSG_TRACE (17). */
const TRACE_MESSAGE = (10 << 8) | 17;

export class RuleWatch implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  static open(netns: string | undefined): RuleWatch {
    return new RuleWatch(NetlinkSocket.open(NETLINK_NETFILTER, { groups: [NFNLGRP_NFTRACE], ...(netns === undefined ? {} : { netns }) }));
  }

  /** Everything reported since the last call; `onOverrun` when some of it was lost. */
  drain(onOverrun: () => void): readonly TraceEvent[] {
    const events: TraceEvent[] = [];
    for (;;) {
      try {
        const messages = this.#socket.tryReceive(0, 'nftables trace');
        if (messages === undefined) return events;
        for (const { type, payload } of messages) if (type === TRACE_MESSAGE) events.push(parseTraceMessage(payload));
      } catch (error) {
        if (!isNetlinkError(error, 'ENOBUFS')) throw error;
        onOverrun();
      }
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
