import type { Lookup } from '../probe/protocol.ts';
import type { Place } from './places.ts';

export type Family = 'IPv4' | 'IPv6';
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type Locality = 'same node' | 'cross node' | 'any node' | 'itself';

/** The kinds of path, in the order of the printed grid. */
export const PATHS = [
  'pod to pod', 'pod to cluster IP', 'pod to cluster IP (Local)', 'pod to itself through its Service', 'pod to node port', 'pod to node port (Local)', 'pod to external IP', 'pod to LoadBalancer',
  'pod to LoadBalancer (Local)', 'pod to API server', 'pod to outside', 'pod to DNS name', 'node to pod', 'node to cluster IP', 'node to node port', 'node to external IP', 'node to LoadBalancer',
  'outside to node port', 'outside to node port (Local)', 'outside to LoadBalancer', 'outside to LoadBalancer (Local)',
  'no endpoints', 'unknown port', 'unallocated cluster IP', 'session affinity', 'load spread', 'large packet', 'Service of the cluster', 'endpoints come and go', 'pods are killed', 'node loss',
] as const;
export type Path = (typeof PATHS)[number];

/** What one attempt, or a cell as a whole, came to. */
export type Outcome = 'ok' | 'refused' | 'timeout';

/** One path to be probed: data only; where the packets go and what has to come back. */
export interface Cell {
  readonly id: string;
  readonly place: Place;
  readonly path: Path;
  readonly locality: Locality;
  readonly protocol: Protocol;
  readonly family: Family;
  /** For people: `pod podwire-matrix/probe-node2-a`, `svc podwire-matrix/probe`. */
  readonly to: string;
  readonly host: string;
  readonly port: number;
  readonly expected: Outcome;
  /** One of these addresses must be what the server saw; absent: any. */
  readonly sources?: readonly string[];
  /** The same when the pod was answered by itself (hairpin). */
  readonly ownSources?: readonly string[];
  /** Names of the pods that may answer; absent: the target says nothing about itself (any TCP server). */
  readonly answeredBy?: readonly string[];
  readonly attempts: number;
  /** sticky: one pod answers all attempts; spread: each of answeredBy answers at least one. */
  readonly pattern?: 'sticky' | 'spread';
  /** The name under which the target is asked for; the server must say that it is `host`. */
  readonly lookup?: Pick<Lookup, 'name' | 'server' | 'port'>;
  /** Payload bytes of request and answer. */
  readonly size?: number;
  /** Why it cannot be probed here. */
  readonly skip?: string;
}

export type Observed = Outcome | 'wrong source' | 'wrong endpoint' | 'wrong address' | 'flaky' | 'not sticky' | 'uneven' | 'error';

/** A request that got no answer while endpoints came and went. */
export interface LostRequest {
  readonly outcome: 'refused' | 'timeout' | 'error';
  /** It was lost to a kill: nobody could have served it. */
  readonly isKilled: boolean;
  /** What was done before it (or, to a request that waited, meanwhile); absent: nothing yet. */
  readonly moment?: string;
  /** Sent so long after it; negative: before. */
  readonly afterMs?: number;
}

/** The JSON of a report's cell (the keys and their meaning are an interface). */
export interface CellResult {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly path: Path;
  readonly locality: Locality;
  readonly protocol: Protocol;
  readonly family: Family;
  readonly expected: Outcome;
  readonly observed: Observed | 'skipped';
  readonly sourceExpected: readonly string[];
  readonly sourceObserved: readonly string[];
  readonly result: 'passed' | 'failed' | 'skipped';
  readonly reason: string;
  /** Fastest attempt. */
  readonly latencyMs?: number;
  /** The verdict line of the automatic trace of a failed cell. */
  readonly trace?: string;
  /** Every request that was lost under load. */
  readonly lost?: readonly LostRequest[];
}

export interface MatrixReport {
  readonly summary: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly cells: readonly CellResult[];
}
