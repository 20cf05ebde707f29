import { NETLINK_NETFILTER, subscribe } from '@podwire/netlink';
import { parseTraceMessage } from './trace.ts';
import type { TraceEvent } from './trace.ts';
import { GROUP_NFTRACE, MSG, SUBSYS_NFTABLES } from './wire.ts';

/**
 * The steps of every packet that a rule marked with `meta nftrace set 1`, in one namespace, until `signal` aborts; returns when the
 * subscription stands. `nft monitor trace`. The kernel loses events silently under load: trace single probes.
 */
export function watchTrace(onEvent: (event: TraceEvent) => void, signal: AbortSignal, options: { netns?: string; onOverrun?: () => void } = {}): void {
  subscribe(NETLINK_NETFILTER, [GROUP_NFTRACE], (message) => {
    if (message.type === (SUBSYS_NFTABLES | MSG.TRACE)) onEvent(parseTraceMessage(message.payload));
  }, signal, { ...(options.netns === undefined ? {} : { netns: options.netns }), receiveBufferBytes: 16 << 20, onOverrun: () => options.onOverrun?.() });
}
