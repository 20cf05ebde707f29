// Why the kernel freed a packet: lines of its tracepoints skb:kfree_skb, net:netif_receive_skb and net:net_dev_start_xmit, parsed
// and joined by the packet buffer's address. Pure.

export interface BufferEvent {
  /** Nanoseconds of the tracer's clock. */
  readonly timeNs: bigint;
  readonly kind: 'receive' | 'transmit' | 'free';
  readonly skb: string;
  /** Of receive and transmit. Names are not unique over namespaces. */
  readonly device?: string;
  readonly length?: number;
  /** Of free: the kernel's reason, e.g. IP_RPFILTER, and the function that gave up. */
  readonly reason?: string;
  readonly location?: string;
}

const head = /^\s*.+-\d+\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (kfree_skb|netif_receive_skb|net_dev_start_xmit): (.*)$/;
const kinds = { kfree_skb: 'free', netif_receive_skb: 'receive', net_dev_start_xmit: 'transmit' } as const;

/** One line of a trace file; `undefined` for headers and other events. */
export function parseTraceLine(line: string): BufferEvent | undefined {
  const match = head.exec(line);
  if (match === null) return undefined;
  const [, seconds = '0', micros = '0', event = '', fields = ''] = match;
  const value = (name: string): string | undefined => new RegExp(`\\b${name}[=:]\\s*(\\S+)`).exec(fields)?.[1];
  const skb = value('skbaddr');
  if (skb === undefined) return undefined;
  const timeNs = BigInt(seconds) * 1_000_000_000n + BigInt(micros) * 1000n;
  if (event === 'kfree_skb') return { timeNs, kind: 'free', skb, reason: value('reason') ?? 'NOT_SPECIFIED', location: (value('location') ?? '').replace(/\+0x.*$/, '') };
  return { timeNs, kind: kinds[event as keyof typeof kinds], skb, device: value('dev') ?? '', length: Number(value('len') ?? '0') };
}

const marker = /\s(\d+)\.(\d{6}): tracing_mark_write: wall clock (\d+) ms$/m;
const secondNs = 1_000_000_000n;

/**
 * How far the tracer's clock (TAI) is ahead of the wall clock: whole seconds, as many as the machine has been told of leap seconds. A mark that
 * tells the wall clock's time is written into the trace; however late it gets there, the rounding takes that away.
 */
export const wallClock = {
  mark: (nowMs: number): string => `wall clock ${nowMs} ms`,
  aheadNs(lines: readonly string[]): bigint {
    const [, seconds, micros, wallMs] = lines.map((line) => marker.exec(line)).find((match) => match !== null) ?? [];
    if (seconds === undefined || micros === undefined || wallMs === undefined) return 0n;
    const differenceNs = BigInt(seconds) * secondNs + BigInt(micros) * 1000n - BigInt(wallMs) * 1_000_000n;
    return (differenceNs + secondNs / 2n) / secondNs * secondNs;
  },
};

/** A drop: the packet buffer, who gave it up and why, and the devices that had it before. */
export interface Drop {
  readonly timeNs: bigint;
  readonly reason: string;
  readonly location: string;
  readonly seen: readonly { readonly device: string; readonly length: number; readonly timeNs: bigint }[];
}

/** Reasons that are the normal end of a packet's life and explain nothing. */
const harmless = new Set(['NOT_SPECIFIED', 'SOCKET_FILTER', 'PACKET_SOCK_ERROR', 'OTHERHOST', 'SOCKET_CLOSE', 'TCP_OLD_ACK']);

/** Joins frees with the sightings of the same buffer since it was last freed: buffers are reused. */
export function joinDrops(events: readonly BufferEvent[]): readonly Drop[] {
  const seen = new Map<string, { device: string; length: number; timeNs: bigint }[]>();
  const drops: Drop[] = [];
  for (const { kind, skb, timeNs, device = '', length = 0, reason = '', location = '' } of events) {
    if (kind === 'free') {
      if (!harmless.has(reason)) drops.push({ timeNs, reason, location, seen: seen.get(skb) ?? [] });
      seen.delete(skb);
    } else seen.set(skb, [...(seen.get(skb) ?? []), { device, length, timeNs }]);
  }
  return drops;
}
