// What became of the packet, in one line. Pure.
import type { DropFact, Observation, RuleEvent, Verdict } from '../model.ts';
import type { ProbeKey } from './identity.ts';
import { explainReason, isTelling } from './reasons.ts';
import { isHome, trailOf } from './trail.ts';
import type { Sighting, Trail } from './trail.ts';
import type { Directory } from './world.ts';

export interface Outcome {
  readonly verdict: Verdict;
  readonly where: string;
  readonly reason: string;
  readonly remedy: string;
  readonly latencyMs: number;
}

export interface VerdictInput {
  readonly observations: readonly Observation[];
  readonly rules: readonly RuleEvent[];
  readonly drops: readonly DropFact[];
  readonly key: ProbeKey;
  readonly directory: Directory;
  /** Whether the probe program got its answer. */
  readonly answered: boolean;
  /** Facts about the lab that explain a loss which the kernel does not name (a cut link, a switched-off sysctl). */
  readonly suspicions: readonly Suspicion[];
}

/** Something that is not as it should be, found by looking at the state of a place. */
export interface Suspicion {
  /** `node1/br_netfilter`, `node2/eth0`. */
  readonly where: string;
  readonly reason: string;
  readonly remedy: string;
  /** Which losses it can explain: the request's, the reply's, or both. */
  readonly explains: 'request' | 'reply' | 'both';
}

const at = ({ place, device }: Sighting): string => `${place.name}/${device}`;

/** The packet came to rest in a namespace that owns its destination: it did not leave it again for somewhere else. */
function arrival(trail: Trail, directory: Directory): Sighting | undefined {
  const last = trail.at(-1);
  return last !== undefined && isHome(last, directory) ? last : undefined;
}

/**
 * A drop that hit our packet: its device had the buffer when ours was seen there last, or nobody saw the buffer and the moment is the same. The
 * tracer sees the whole machine, and device names are not unique: of several the nearest, and none that is milliseconds away.
 */
function dropAfter(last: Sighting, drops: readonly DropFact[]): DropFact | undefined {
  const nearNs = 5_000_000n;
  const awayNs = ({ seenNs, timeNs }: DropFact): bigint => {
    const difference = (seenNs ?? timeNs) - last.timeNs;
    return difference < 0n ? -difference : difference;
  };
  const nearest = (device: string): DropFact | undefined => drops.filter((drop) => drop.device === device && awayNs(drop) < nearNs).toSorted((a, b) => Number(awayNs(a) - awayNs(b)))[0];
  return nearest(last.device) ?? nearest('');
}

const isReject = ({ kind, text }: RuleEvent): boolean => kind === 'rule' && text?.includes('reject') === true;

/** The rule that ended the packet's way where it was seen last, if one did. */
function refusedByRule({ place }: Sighting, rules: readonly RuleEvent[]): RuleEvent | undefined {
  const here = rules.filter((rule) => rule.place.name === place.name && rule.place.kind === place.kind);
  return here.find(isReject) ?? here.find(({ verdict, text }) => verdict === 'drop' || (text !== undefined && /\bdrop$/.test(text)));
}

function lossOf(trail: Trail, input: VerdictInput): Outcome {
  const last = trail.at(-1);
  if (last === undefined) {
    const [suspicion] = input.suspicions.filter(({ explains }) => explains !== 'reply');
    return { verdict: 'LOST', where: suspicion?.where ?? 'the sender', reason: suspicion?.reason ?? 'the sender never put a packet on the wire: it has no route, or its own rules refuse it', remedy: suspicion?.remedy ?? 'ip route get ADDRESS, where the sender is', latencyMs: 0 };
  }
  const latencyMs = Number(last.timeNs - (trail[0]?.timeNs ?? last.timeNs)) / 1e6;
  const refusing = refusedByRule(last, input.rules);
  if (refusing !== undefined && isReject(refusing)) {
    const isPort = input.directory.service(last.packet.destination, last.packet.destinationPort ?? 0, last.packet.protocol) !== undefined;
    const why = isPort ? { reason: 'no endpoints: the Service has nobody who is ready', remedy: 'kubectl get endpointslices, and the readiness of the pods that its selector selects' } : { reason: 'the cluster IP has no such port', remedy: 'kubectl get services -A -o wide, and ask one of its ports' };
    return { verdict: 'REJECTED', where: `${last.place.name}/${refusing.chain}`, ...why, latencyMs };
  }
  if (refusing !== undefined) return { verdict: 'DROPPED', where: `${last.place.name}/${refusing.chain}`, ...droppedBy(refusing), latencyMs };
  const [suspicion] = input.suspicions.filter(({ explains }) => explains !== 'reply');
  // A packet for a pod that ended up outside the cluster was led astray earlier: what gave it up out there is not the cause.
  const isAstray = last.place.kind === 'machine' && suspicion !== undefined;
  const seen = isAstray ? undefined : dropAfter(last, input.drops);
  // A reason that says little (a purged queue) yields to what inspection found.
  const drop = seen !== undefined && suspicion !== undefined && !isTelling(seen.reason) ? undefined : seen;
  if (drop !== undefined) {
    const { reason, remedy } = explainReason(drop.reason, last.packet.family);
    return { verdict: drop.reason === 'NO_SOCKET' ? 'REJECTED' : 'DROPPED', where: at(last), reason: `${drop.reason}: ${suspicion !== undefined && drop.reason === 'NETFILTER_DROP' ? suspicion.reason : reason}`, remedy, latencyMs };
  }
  if (suspicion !== undefined) return { verdict: 'DROPPED', where: suspicion.where, reason: suspicion.reason, remedy: suspicion.remedy, latencyMs };
  return { verdict: 'LOST', where: at(last), reason: 'it was seen there last, and nobody says why', remedy: `look on at ${last.place.name}: ip -s link show ${last.device}`, latencyMs };
}

/** Which of our own drops it was: the chain says why. */
function droppedBy(rule: RuleEvent): { reason: string; remedy: string } {
  if (rule.table !== 'podwire') return { reason: `a rule of table ${rule.table}, chain ${rule.chain}: ${rule.text ?? 'its policy'}`, remedy: `nft -a list chain ${rule.family} ${rule.table} ${rule.chain}; delete the rule by its handle` };
  if (rule.chain.startsWith('guard')) return { reason: 'the source is in none of the Service\'s loadBalancerSourceRanges', remedy: 'add the source to spec.loadBalancerSourceRanges' };
  if (rule.chain === 'to-endpoint') return { reason: 'a traffic policy Local asks for an endpoint on this node, and there is none', remedy: 'run an endpoint on this node, or set the policy to Cluster' };
  return { reason: 'a Service address that nobody has', remedy: 'kubectl get services -A -o wide' };
}

export function verdictOf(input: VerdictInput): Outcome {
  const request = trailOf(input.observations, input.key, 'request');
  const startNs = request[0]?.timeNs ?? 0n;
  const arrived = arrival(request, input.directory);
  if (arrived === undefined || refusedByRule(arrived, input.rules) !== undefined) return tooBig(request, input) ?? lossOf(request, input);
  const latencyMs = Number(arrived.timeNs - startNs) / 1e6;
  const where = input.directory.pod(arrived.packet.destination) === undefined ? arrived.place.name : input.directory.say(arrived.packet.destination);
  const reply = trailOf(input.observations, input.key, 'reply');
  const refused = reply[0]?.packet.tcp?.flags.includes('RST') === true || trailOf(input.observations, input.key, 'error').length > 0;
  if (refused && !input.answered) {
    const { reason, remedy } = explainReason('NO_SOCKET');
    return { verdict: 'REJECTED', where, reason, remedy, latencyMs };
  }
  if (input.answered || reply.length === 0) return { verdict: 'DELIVERED', where, reason: '', remedy: '', latencyMs };
  // It arrived, and its answer did not.
  const [suspicion] = input.suspicions.filter(({ explains }) => explains !== 'request');
  const last = reply.at(-1);
  const drop = last === undefined ? undefined : dropAfter(last, input.drops);
  const explained = drop === undefined ? undefined : explainReason(drop.reason, last?.packet.family);
  return {
    verdict: 'DROPPED', where: suspicion?.where ?? (last === undefined ? where : at(last)), latencyMs,
    reason: `the answer is lost on its way back: ${suspicion?.reason ?? (drop === undefined ? 'the client does not recognise it' : `${drop.reason}: ${explained?.reason ?? ''}`)}`,
    remedy: suspicion?.remedy ?? explained?.remedy ?? 'compare the addresses of the answer with those of the request, hop by hop',
  };
}

/** Somebody on the way says that the packet does not fit. */
function tooBig(request: Trail, input: VerdictInput): Outcome | undefined {
  const [error] = trailOf(input.observations, input.key, 'error');
  if (error?.packet.icmp?.mtu === undefined) return undefined;
  const { remedy } = explainReason('PKT_TOO_BIG');
  const last = request.at(-1);
  return { verdict: 'DROPPED', where: last === undefined ? error.place.name : at(last), reason: `PKT_TOO_BIG: the next device takes ${error.packet.icmp.mtu} bytes, and the packet must not be fragmented`, remedy, latencyMs: Number(error.timeNs - (request[0]?.timeNs ?? error.timeNs)) / 1e6 };
}
