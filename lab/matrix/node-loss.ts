// A node is lost and comes back: how long until its endpoints are avoided, how long until they serve again, and what was lost meanwhile.
import { setTimeout as delay } from 'node:timers/promises';
import type { ProbeResult } from '../probe/protocol.ts';
import { disruptiveId } from './cell-builder.ts';
import type { CellResult } from './model.ts';
import { placeName } from './places.ts';
import type { Place } from './places.ts';
import type { Prober } from './prober.ts';
import { familyOf } from './topology.ts';
import { NAMESPACE, PORT } from './workload-objects.ts';

const REQUEST_TIMEOUT_MS = 1000;
const GAP_MS = 50;
/** So many answers in a row, none of them from the lost node: its endpoints are out of the Service. */
const STEADY = 60;
/** The control plane calls a silent node lost after 40 to 50 s. */
const AVOIDED_DEADLINE_MS = 120_000;
const BACK_DEADLINE_MS = 120_000;

export interface NodeLossOptions {
  readonly place: Place;
  readonly prober: Prober;
  /** Cluster IP of a Service with endpoints on every node. */
  readonly host: string;
  readonly victim: string;
  /** Cuts the victim off; what it returns heals it. */
  readonly cut: (node: string) => Promise<() => Promise<void>>;
  readonly signal?: AbortSignal;
  readonly onPhase?: (text: string) => void;
}

export async function nodeLoss(options: NodeLossOptions): Promise<CellResult> {
  const { cut, victim, onPhase, signal } = options;
  onPhase?.(`node ${victim} is cut off`);
  const heal = await cut(victim);
  let avoided: Observation;
  try {
    avoided = await observe(options, AVOIDED_DEADLINE_MS, (steady) => steady.length >= STEADY && steady.every((node) => node !== victim), signal);
  } finally {
    await heal();
  }
  onPhase?.(`node ${victim} is back`);
  const back = await observe(options, BACK_DEADLINE_MS, (steady) => steady.includes(victim), signal);
  return nodeLossResult(options, avoided, back);
}

export interface Observation {
  /** undefined: not within the deadline. */
  readonly afterMs: number | undefined;
  readonly sent: number;
  readonly lost: number;
}

/** Asks without a pause until `enough` of the nodes that answered since the last lost request. */
async function observe({ prober, host }: NodeLossOptions, deadlineMs: number, enough: (steady: readonly string[]) => boolean, signal: AbortSignal | undefined): Promise<Observation> {
  const start = performance.now();
  let steady: string[] = [];
  let sent = 0;
  let lost = 0;
  while (performance.now() - start < deadlineMs) {
    const result: ProbeResult = await prober.attempt({ protocol: 'tcp', host, port: PORT, timeoutMs: REQUEST_TIMEOUT_MS });
    sent++;
    if (result.ok) steady.push(result.answer?.node ?? '');
    else {
      lost++;
      steady = [];
    }
    if (enough(steady)) return { afterMs: performance.now() - start, sent, lost };
    await delay(GAP_MS, undefined, signal === undefined ? {} : { signal });
  }
  return { afterMs: undefined, sent, lost };
}

export function nodeLossResult({ place, victim, host }: Pick<NodeLossOptions, 'place' | 'victim' | 'host'>, avoided: Observation, back: Observation): CellResult {
  const seconds = ({ afterMs }: Observation): string => (afterMs === undefined ? 'not in time' : `after ${(afterMs / 1000).toFixed(0)} s`);
  const [path, protocol, family] = ['node loss', 'TCP', familyOf(host)] as const;
  const isGood = avoided.afterMs !== undefined && back.afterMs !== undefined;
  return {
    id: disruptiveId({ path, place, protocol, family }), from: placeName(place), to: 'svc probe', path, locality: 'any node', protocol, family,
    expected: 'ok', observed: isGood ? 'ok' : avoided.afterMs === undefined ? 'flaky' : 'uneven', sourceExpected: [], sourceObserved: [], result: isGood ? 'passed' : 'failed',
    reason: `${victim} cut off: its endpoints were avoided ${seconds(avoided)} (${avoided.lost} of ${avoided.sent} requests lost); healed: they served again ${seconds(back)} (${back.lost} of ${back.sent} lost)`,
  };
}

/** From the first pod of the first node, with the last node as the victim. */
export function nodeLossPlan(pods: readonly { readonly name: string; readonly node: string }[]): { readonly place: Place; readonly victim: string } | undefined {
  const first = pods.find(({ name }) => name.endsWith('-a'));
  const last = pods.at(-1);
  return first === undefined || last === undefined || first.node === last.node ? undefined : { place: { kind: 'pod', namespace: NAMESPACE, name: first.name, node: first.node }, victim: last.node };
}
