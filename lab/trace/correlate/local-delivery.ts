// A packet that is translated to an address of the node itself goes up to a program there, past no device that could show it changed.
// The connection that the node tracks tells; it becomes one more sighting. Pure.
import type { ConntrackFact, Observation } from '../model.ts';
import type { ProbeKey } from './identity.ts';
import { isHome, trailOf } from './trail.ts';
import type { Sighting } from './trail.ts';
import type { Directory } from './world.ts';

/** What the place of the sighting made of the packet when it came in. */
function connectionOf({ place, packet }: Sighting, facts: readonly ConntrackFact[]): ConntrackFact | undefined {
  return facts.find((fact) => fact.place.kind === place.kind && fact.place.name === place.name && fact.original.source === packet.source && fact.original.sourcePort === packet.sourcePort && fact.original.destination === packet.destination && fact.original.destinationPort === packet.destinationPort);
}

/** The device of that sighting: none that one could look at. */
export const INSIDE = 'inside';

export function withLocalDelivery(observations: readonly Observation[], facts: readonly ConntrackFact[], key: ProbeKey, directory: Directory): readonly Observation[] {
  const last = trailOf(observations, key, 'request').at(-1);
  if (last === undefined || last.place.kind !== 'node' || last.direction !== 'in' || last.encapsulated || isHome(last, directory)) return observations;
  const reply = connectionOf(last, facts)?.reply;
  if (reply === undefined || directory.node(reply.source)?.metadata?.name !== last.place.name) return observations;
  const packet = { ...last.packet, destination: reply.source, destinationPort: reply.sourcePort };
  return [...observations, { place: last.place, device: INSIDE, direction: 'in', timeNs: last.timeNs, packet }];
}
