// The words of a trace: what is observed, and what is made of it. All plain data: a trace is a JSON file that can be replayed
// without a cluster and without root.
import type { Packet } from './packet/decode.ts';

/** A network namespace of the lab: a node's, a pod's, the machine's own, or the underlay switch. */
export interface Place {
  readonly kind: 'node' | 'pod' | 'machine' | 'underlay';
  /** `node1`, `default/web-1`, `machine`, `underlay`. */
  readonly name: string;
  /** The node it is on, for nodes and pods. */
  readonly node?: string;
}

/** One device saw one packet. */
export interface Observation {
  readonly place: Place;
  readonly device: string;
  readonly direction: 'in' | 'out';
  /** Wall clock, nanoseconds. */
  readonly timeNs: bigint;
  readonly packet: Packet;
}

/** One rule (or policy) of nftables decided about the packet. In the order in which the kernel reported them. */
export interface RuleEvent {
  readonly place: Place;
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly kind: 'rule' | 'return' | 'policy';
  readonly handle?: number;
  /** The rule as `nft list` prints it. */
  readonly text?: string;
  /** `accept`, `drop`, `jump pick`, `continue`... */
  readonly verdict: string;
  readonly traceId: number;
  readonly packet?: Packet;
  readonly mark?: number;
  readonly conntrackId?: number;
}

/** A connection as one namespace tracks it. */
export interface ConntrackFact {
  readonly place: Place;
  readonly id: number;
  readonly protocol: string;
  readonly original: Ends;
  readonly reply: Ends;
  readonly mark: number;
}

export interface Ends {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** The kernel gave the packet up. `place` is known when a capture saw the same buffer just before. */
export interface DropFact {
  readonly reason: string;
  readonly location: string;
  readonly device: string;
  readonly length: number;
  readonly timeNs: bigint;
  /** When `device` had the buffer; absent when no device was seen to have it. */
  readonly seenNs?: bigint;
}

/** The Kubernetes object that an address or a rule stands for. */
export interface Cause {
  readonly kind: 'Service' | 'Pod' | 'Node' | 'EndpointSlice';
  readonly namespace?: string;
  readonly name: string;
}

export type Stage = 'send' | 'receive' | 'nftables' | 'route' | 'transmit' | 'encapsulate' | 'decapsulate' | 'deliver' | 'drop';

export interface Hop {
  readonly n: number;
  readonly node: string;
  readonly netns: string;
  readonly device: string;
  readonly stage: Stage;
  readonly table?: string;
  readonly chain?: string;
  readonly rule?: string;
  readonly cause?: Cause;
  /** The packet as it came here, and as it left; `after` only when something changed. */
  readonly before: string;
  readonly after?: string;
  readonly conntrack?: string;
  readonly why: string;
  /** A command that shows the same by hand. */
  readonly command: string;
  /** Since the packet was sent. */
  readonly atMs: number;
}

export type Verdict = 'DELIVERED' | 'DROPPED' | 'REJECTED' | 'LOST';

/** What the model of the ruleset says should happen. */
export interface Predicted {
  readonly text: string;
  /** direct: no Service's address, it goes where the routes say. unknown: no rules were found to foretell from. */
  readonly outcome: 'endpoints' | 'direct' | 'refused' | 'dropped' | 'unknown';
  /** Where it may arrive: `10.244.1.2:8080`, how likely, and with which source addresses (empty: any). */
  readonly endpoints: readonly { readonly address: string; readonly share: number; readonly sources: readonly string[] }[];
  /** The rules that it should meet, and why. */
  readonly steps: readonly { readonly node: string; readonly chain: string; readonly rule: string; readonly why: string }[];
  /** The rules are not what the API's objects ask for. */
  readonly finding?: string;
}

export interface Trace {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp';
  readonly verdict: Verdict;
  /** `default/web-2 on node2`, or `node2/pw-vxlan`. */
  readonly where: string;
  /** Empty when delivered. */
  readonly reason: string;
  /** What to do about it; empty when delivered. */
  readonly remedy: string;
  readonly latencyMs: number;
  readonly hops: readonly Hop[];
  readonly reply: readonly Hop[];
  readonly predicted: Predicted;
  readonly agrees: boolean;
  /** What could not be observed here and why. */
  readonly notes: readonly string[];
}
