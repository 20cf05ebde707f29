import { parseVerdict } from './element-codec.ts';
import { parseAttributes, text, u32, u64 } from './attributes.ts';
import type { Verdict } from './schema.ts';
import { familyName } from './wire.ts';
import type { Family } from './wire.ts';

/** NFTA_TRACE_*: 18 to 21 are newer than most headers (Linux 6.16): the connection's id, direction, status, state. */
const A = { table: 1, chain: 2, handle: 3, type: 4, verdict: 5, id: 6, link: 7, network: 8, transport: 9, iif: 10, iifType: 11, oif: 12, oifType: 13, mark: 14, nfproto: 15, policy: 16, ctId: 18, ctDirection: 19, ctStatus: 20, ctState: 21 } as const;

/** One step of one packet through the ruleset, for packets with `meta nftrace set 1`. */
export interface TraceEvent {
  readonly family: Family | 'unspec';
  readonly table: string;
  readonly chain: string;
  /** rule: a rule decided; return: the chain returned; policy: the base chain's policy decided. */
  readonly type: 'rule' | 'return' | 'policy' | 'unknown';
  /** For rule. */
  readonly ruleHandle?: bigint;
  readonly verdict?: Verdict;
  readonly policy?: 'accept' | 'drop';
  /** Groups the steps of one pass through the hooks. Not a packet id: it changes after DNAT and is reused within a connection. */
  readonly traceId: number;
  /** Headers as bytes; in the first message of a chain only. */
  readonly linkHeader?: Buffer;
  readonly networkHeader?: Buffer;
  readonly transportHeader?: Buffer;
  readonly iif?: number;
  readonly oif?: number;
  readonly mark?: number;
  readonly nfproto?: number;
  /** Equals conntrack's id of the connection; kernels before 6.16 do not say it. */
  readonly conntrackId?: number;
  readonly conntrackDirection?: 'original' | 'reply';
  readonly conntrackStatus?: number;
  readonly conntrackState?: number;
}

const TYPES = new Map<number, TraceEvent['type']>([[1, 'policy'], [2, 'return'], [3, 'rule']]);

/** A message of group NFNLGRP_NFTRACE (type 17 of the nf_tables subsystem). */
export function parseTraceMessage(payload: Buffer): TraceEvent {
  const attributes = parseAttributes(payload, 4);
  const verdict = attributes.has(A.verdict) ? parseVerdict(new Map([[2, attributes.get(A.verdict) ?? Buffer.alloc(0)]])) : undefined;
  const policy = u32(attributes, A.policy);
  const direction = attributes.get(A.ctDirection)?.[0];
  const optional = {
    ruleHandle: u64(attributes, A.handle), verdict, policy: policy === undefined ? undefined : policy === 0 ? 'drop' : 'accept',
    linkHeader: attributes.get(A.link), networkHeader: attributes.get(A.network), transportHeader: attributes.get(A.transport),
    iif: u32(attributes, A.iif), oif: u32(attributes, A.oif), mark: u32(attributes, A.mark), nfproto: u32(attributes, A.nfproto),
    conntrackId: u32(attributes, A.ctId), conntrackDirection: direction === undefined ? undefined : direction === 0 ? 'original' : 'reply',
    conntrackStatus: u32(attributes, A.ctStatus), conntrackState: u32(attributes, A.ctState),
  } as const;
  return {
    family: familyName(payload[0] ?? 0), table: text(attributes, A.table), chain: text(attributes, A.chain),
    type: TYPES.get(u32(attributes, A.type) ?? 0) ?? 'unknown', traceId: u32(attributes, A.id) ?? 0, ...defined(optional),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
/** Drops what is undefined: exact optional properties are absent, not undefined. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
