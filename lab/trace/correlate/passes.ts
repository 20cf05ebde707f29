// The rules that looked at the probe in one place, in passes: one hook of one table after another. Pure.
import type { RuleEvent } from '../model.ts';
import type { Packet } from '../packet/decode.ts';
import { endsOf, recognise } from './identity.ts';
import type { ProbeKey, Role } from './identity.ts';
import type { Visit } from './trail.ts';

/** The rules of one base chain and what it calls. The kernel reports the packet's headers once, as the pass begins. */
export interface Pass {
  readonly packet: Packet | undefined;
  readonly rules: readonly RuleEvent[];
}

export interface PassInput {
  readonly rules: readonly RuleEvent[];
  readonly key: ProbeKey;
  readonly role: Role;
}

/** Whether a rule's packet is the probe. The kernel reports headers only: a UDP probe is then known by its ends, not by its nonce. */
function isProbe(packet: Packet, visit: Visit, { key, role }: PassInput): boolean {
  if (key.protocol === 'tcp') return recognise(packet, key)?.role === role;
  if (packet.protocol !== 'udp') return false;
  const port = role === 'request' ? packet.sourcePort : packet.destinationPort;
  return port === key.sourcePort || visit.sightings.some((sighting) => endsOf(sighting.packet) === endsOf(packet));
}

/** The end of a chain is reported too (handle 0), and a policy that lets pass: they decide nothing. */
const decides = ({ kind, handle, verdict }: RuleEvent): boolean => kind !== 'return' && !(kind === 'rule' && (handle ?? 0) === 0) && !(kind === 'policy' && verdict === 'accept');

/** A rule event without headers belongs to the pass that its trace id names. A retransmission's rules add nothing. */
export function passesIn(visit: Visit, input: PassInput): readonly Pass[] {
  const here = input.rules.filter(({ place }) => place.kind === visit.place.kind && place.name === visit.place.name);
  const ours = new Set(here.filter(({ packet }) => packet !== undefined && isProbe(packet, visit, input)).map(({ traceId }) => traceId));
  const seen = new Set<string>();
  const passes: { packet: Packet | undefined; rules: RuleEvent[] }[] = [];
  for (const event of here) {
    if (!ours.has(event.traceId)) continue;
    if (event.packet !== undefined || passes.length === 0) passes.push({ packet: event.packet, rules: [] });
    const id = `${event.family} ${event.table} ${event.chain} ${event.handle ?? event.kind} ${event.verdict}`;
    if (!decides(event) || seen.has(id)) continue;
    seen.add(id);
    passes.at(-1)?.rules.push(event);
  }
  return passes.filter(({ rules }) => rules.length > 0);
}
