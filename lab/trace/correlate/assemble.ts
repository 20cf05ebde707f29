// From everything observed to a Trace. Pure: the same input file gives the same trace anywhere.
import type { ConntrackFact, Hop, Predicted, Trace } from '../model.ts';
import { endText } from '../packet/decode.ts';
import type { Packet } from '../packet/decode.ts';
import type { Observed } from '../sources/observe.ts';
import { agreement } from './agreement.ts';
import { hopsOf } from './hops.ts';
import type { ProbeKey } from './identity.ts';
import { withLocalDelivery } from './local-delivery.ts';
import { trailOf } from './trail.ts';
import { verdictOf } from './verdict.ts';
import type { Outcome, Suspicion } from './verdict.ts';
import type { Directory } from './world.ts';

export interface AssembleInput {
  readonly from: string;
  readonly to: string;
  readonly host: string;
  readonly port: number;
  readonly key: ProbeKey;
  readonly observed: Observed;
  readonly directory: Directory;
  readonly suspicions: readonly Suspicion[];
  readonly prediction: Predicted;
}

/**
 * The probe's SYN at its sender gives the sequence number by which it is known everywhere else. A node's own packet is translated
 * before any device sees it: then the rules of its output hook are the first to know it.
 */
export function tcpKey({ observations, rules }: Observed, sender: string, host: string, port: number): ProbeKey | undefined {
  const isOurs = ({ destination, destinationPort, tcp }: Packet): boolean => destination === host && destinationPort === port && tcp?.flags.join() === 'SYN';
  const captured = [...observations].sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1)).find(({ place, packet }) => `${place.kind}/${place.name}` === sender && isOurs(packet));
  const reported = rules.find(({ place, packet }) => `${place.kind}/${place.name}` === sender && packet !== undefined && isOurs(packet));
  const sequence = captured?.packet.tcp?.sequence ?? reported?.packet?.tcp?.sequence;
  return sequence === undefined ? undefined : { protocol: 'tcp', sequence };
}

const conntrackText = ({ protocol, original, reply, mark, id }: ConntrackFact): string => `${protocol} ${endText(original.source, original.sourcePort)} -> ${endText(original.destination, original.destinationPort)}, answers from ${endText(reply.source, reply.sourcePort)} to ${endText(reply.destination, reply.destinationPort)}, mark 0x${mark.toString(16)}, id ${id}`;

/** The connection that a node tracks is told on the rule that made it: the one that translates. */
function withConntrack(hops: readonly Hop[], facts: readonly ConntrackFact[]): readonly Hop[] {
  return hops.map((hop) => {
    if (hop.rule === undefined || !/dnat|masquerade/.test(hop.rule)) return hop;
    const fact = facts.find(({ place }) => `${place.kind}/${place.name}` === hop.netns);
    return fact === undefined ? hop : { ...hop, conntrack: conntrackText(fact) };
  });
}

/** A packet that did not arrive has a last step that says so. */
function withEnd(hops: readonly Hop[], { verdict, reason, remedy }: Outcome): readonly Hop[] {
  const last = hops.at(-1);
  if (last === undefined || verdict === 'DELIVERED' || last.stage === 'deliver') return hops;
  const { node, netns, device, before, after, atMs } = last;
  return [...hops, { n: last.n + 1, node, netns, device, stage: 'drop', before: after ?? before, why: `${verdict}: ${reason}.`, command: remedy, atMs }];
}

export function assemble(input: AssembleInput): Trace {
  const { key, directory, suspicions, prediction } = input;
  const observed = { ...input.observed, observations: withLocalDelivery(input.observed.observations, input.observed.conntrack, key, directory) };
  const outcome = verdictOf({ observations: observed.observations, rules: observed.rules, drops: observed.drops, key, directory, answered: observed.probe.outcome === 'answered', suspicions });
  const request = trailOf(observed.observations, key, 'request');
  const startNs = request[0]?.timeNs ?? observed.observations[0]?.timeNs ?? 0n;
  const common = { observations: observed.observations, rules: observed.rules, key, directory, startNs };
  const facts = observed.conntrack.filter(({ original, reply }) => request.some(({ packet }) => packet.sourcePort === original.sourcePort || packet.sourcePort === reply.destinationPort));
  return {
    from: input.from, to: input.to, protocol: key.protocol, verdict: outcome.verdict, where: outcome.where, reason: outcome.reason, remedy: outcome.remedy,
    latencyMs: Math.round(outcome.latencyMs * 1000) / 1000, hops: withEnd(withConntrack(hopsOf({ ...common, role: 'request' }), facts), outcome),
    reply: [...hopsOf({ ...common, role: 'reply' }), ...hopsOf({ ...common, role: 'error' })].map((hop, index) => ({ ...hop, n: index + 1 })),
    predicted: prediction, agrees: agreement(prediction, outcome.verdict, request.at(-1)?.packet),
    notes: [...observed.notes, ...(prediction.finding === undefined ? [] : [prediction.finding])],
  };
}
