// From a packet's trail and the rules that looked at it to numbered steps that a person can follow. Pure.
import type { Hop, Observation, RuleEvent, Stage } from '../model.ts';
import { packetLine } from '../packet/decode.ts';
import type { Packet } from '../packet/decode.ts';
import { explainRule, explainStage } from './explain.ts';
import { endsOf } from './identity.ts';
import type { ProbeKey, Role } from './identity.ts';
import { passesIn } from './passes.ts';
import type { Pass } from './passes.ts';
import { isHome, trailOf, visitsOf } from './trail.ts';
import type { Sighting, Visit } from './trail.ts';
import { causeText } from './world.ts';
import type { Directory } from './world.ts';

export interface HopsInput {
  readonly observations: readonly Observation[];
  readonly rules: readonly RuleEvent[];
  readonly key: ProbeKey;
  readonly role: Role;
  readonly directory: Directory;
  readonly startNs: bigint;
}

const line = ({ outer, packet, encapsulated }: Sighting): string => (encapsulated ? `${packetLine(outer)} vxlan ${outer.vni ?? 0} (${packetLine(packet)})` : packetLine(packet));

function stageOf(sighting: Sighting, previous: Sighting | undefined, isLast: boolean): Stage {
  if (previous === undefined) return sighting.direction === 'out' ? 'send' : 'receive';
  if (sighting.encapsulated !== previous.encapsulated && previous.place.name === sighting.place.name) return sighting.encapsulated ? 'encapsulate' : 'decapsulate';
  if (sighting.direction === 'out') return 'transmit';
  return isLast ? 'deliver' : 'receive';
}

type Draft = Omit<Hop, 'n'>;

function base(input: HopsInput, place: Visit['place'], timeNs: bigint): Pick<Draft, 'node' | 'netns' | 'atMs'> {
  return { node: place.node ?? place.name, netns: `${place.kind}/${place.name}`, atMs: Number(timeNs - input.startNs) / 1e6 };
}

function sightingHop(input: HopsInput, sighting: Sighting, previous: Sighting | undefined, isLast: boolean): Draft {
  const stage = stageOf(sighting, previous, isLast);
  const changed = previous !== undefined && endsOf(previous.packet) !== endsOf(sighting.packet);
  const cause = input.directory.cause(sighting.packet.destination, sighting.packet.destinationPort, sighting.packet.protocol);
  return {
    ...base(input, sighting.place, sighting.timeNs), device: sighting.device, stage, before: changed ? line(previous) : line(sighting),
    ...(changed ? { after: line(sighting) } : {}), ...(cause === undefined ? {} : { cause }), ...explainStage(stage, { sighting, previous, isRewritten: changed }, input.directory),
  };
}

/** What this rule makes of the packet, as the next look at it shows: DNAT changes where it goes, masquerade where it seems to come from. */
function rewriteBy({ text = '' }: RuleEvent, before: Packet, following: readonly Packet[]): Packet | undefined {
  // `ct status dnat ... masquerade` only asks whether it was translated before.
  if (/\bdnat (ip6? )?to\b/.test(text)) {
    const after = following.find(({ destination, destinationPort }) => destination !== before.destination || destinationPort !== before.destinationPort);
    return after === undefined ? undefined : { ...before, destination: after.destination, ...(after.destinationPort === undefined ? {} : { destinationPort: after.destinationPort }) };
  }
  if (/\bmasquerade\b/.test(text)) {
    const after = following.find(({ source, sourcePort }) => source !== before.source || sourcePort !== before.sourcePort);
    return after === undefined ? undefined : { ...before, source: after.source, ...(after.sourcePort === undefined ? {} : { sourcePort: after.sourcePort }) };
  }
  return undefined;
}

type Event = { readonly kind: 'sighting'; readonly sighting: Sighting } | { readonly kind: 'pass'; readonly pass: Pass };

/**
 * The kernel does not say when a rule looked at the packet, only in which order. It was after the packet came in and before it left; among
 * the devices where it came in (a bridge's port, the bridge) it was before the one that shows it changed.
 */
function inOrder({ sightings }: Visit, passes: readonly Pass[]): readonly Event[] {
  const firstOut = sightings.findIndex(({ direction }) => direction === 'out');
  const waiting = [...(firstOut < 0 ? sightings : sightings.slice(0, firstOut))];
  const out = firstOut < 0 ? [] : sightings.slice(firstOut);
  const events: Event[] = [];
  const show = (sighting: Sighting | undefined): void => { if (sighting !== undefined) events.push({ kind: 'sighting', sighting }); };
  for (const pass of passes) {
    while (waiting[0] !== undefined && (pass.packet === undefined || endsOf(waiting[0].packet) === endsOf(pass.packet))) show(waiting.shift());
    events.push({ kind: 'pass', pass });
  }
  for (const sighting of [...waiting, ...out]) show(sighting);
  return events;
}

const packetOf = (event: Event): Packet | undefined => (event.kind === 'sighting' ? event.sighting.packet : event.pass.packet);

/** The steps of a stay, and the packet as it stood when it left. */
function visitHops(input: HopsInput, visit: Visit, previous: Sighting | undefined, isLastVisit: boolean): { readonly drafts: readonly Draft[]; readonly last: Sighting | undefined } {
  const events = inOrder(visit, passesIn(visit, input));
  const drafts: Draft[] = [];
  let last = previous;
  // As the packet stands; the sender's own node sees it first in the output hook.
  let shown: Packet | undefined;
  events.forEach((event, index) => {
    if (event.kind === 'sighting') {
      const isEnd = isLastVisit && index === events.length - 1 && isHome(event.sighting, input.directory);
      drafts.push(sightingHop(input, event.sighting, last === undefined || shown === undefined ? last : { ...last, packet: shown }, isEnd));
      last = event.sighting;
      shown = event.sighting.packet;
      return;
    }
    const following = events.slice(index + 1).map(packetOf).filter((packet) => packet !== undefined);
    for (const rule of event.pass.rules) {
      const packet = shown ?? event.pass.packet ?? following[0];
      const rewritten = packet === undefined ? undefined : rewriteBy(rule, packet, following);
      drafts.push(ruleHop(input, { rule, place: visit.place, device: last?.place.name === visit.place.name ? last.device : '', timeNs: last?.place.name === visit.place.name ? last.timeNs : (visit.sightings[0]?.timeNs ?? input.startNs), packet, rewritten }));
      shown = rewritten ?? packet;
    }
  });
  return { drafts, last };
}

interface RuleStep {
  readonly rule: RuleEvent;
  readonly place: Visit['place'];
  readonly device: string;
  readonly timeNs: bigint;
  readonly packet: Packet | undefined;
  readonly rewritten: Packet | undefined;
}

function ruleHop(input: HopsInput, { rule, place, device, timeNs, packet, rewritten }: RuleStep): Draft {
  const { directory } = input;
  const cause = packet === undefined ? undefined : directory.cause(packet.destination, packet.destinationPort, packet.protocol);
  return {
    ...base(input, place, timeNs), device, stage: 'nftables', table: `${rule.family} ${rule.table}`, chain: rule.chain,
    rule: rule.kind === 'policy' ? `policy ${rule.verdict}` : (rule.text ?? `handle ${rule.handle ?? 0}`),
    before: packet === undefined ? '' : packetLine(packet), ...(rewritten === undefined ? {} : { after: packetLine(rewritten) }),
    ...(cause === undefined ? {} : { cause }),
    ...explainRule(rule, place, { cause: cause === undefined ? '' : causeText(cause), endpoint: rewritten === undefined || packet === undefined ? '' : directory.endpoint(packet, rewritten.destination) }),
  };
}

export function hopsOf(input: HopsInput): readonly Hop[] {
  const visits = visitsOf(trailOf(input.observations, input.key, input.role));
  const drafts: Draft[] = [];
  let previous: Sighting | undefined;
  visits.forEach((visit, index) => {
    const { drafts: more, last } = visitHops(input, visit, previous, index === visits.length - 1);
    drafts.push(...more);
    previous = last;
  });
  return drafts.map((draft, index) => ({ n: index + 1, ...draft }));
}
