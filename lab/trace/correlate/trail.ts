// The sightings of one packet in the order of time, each once: a retransmission and a second look at the same device add nothing. Pure.
import type { Observation, Place } from '../model.ts';
import type { Packet } from '../packet/decode.ts';
import { recognise } from './identity.ts';
import type { ProbeKey, Role } from './identity.ts';
import type { Directory } from './world.ts';

export interface Sighting {
  readonly place: Place;
  readonly device: string;
  readonly direction: 'in' | 'out';
  readonly timeNs: bigint;
  /** The probe itself, without the tunnel around it. */
  readonly packet: Packet;
  /** What was on the wire: the tunnel's packet when it was inside one. */
  readonly outer: Packet;
  readonly encapsulated: boolean;
}

export type Trail = readonly Sighting[];

const samePlace = (a: Place, b: Place): boolean => a.kind === b.kind && a.name === b.name;

export function trailOf(observations: readonly Observation[], key: ProbeKey, role: Role): Trail {
  const seen = new Set<string>();
  const trail: Sighting[] = [];
  for (const { packet, ...rest } of [...observations].sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))) {
    const found = recognise(packet, key);
    if (found?.role !== role) continue;
    const id = `${rest.place.kind} ${rest.place.name} ${rest.device} ${rest.direction} ${String(found.encapsulated)}`;
    if (seen.has(id)) continue;
    seen.add(id);
    trail.push({ ...rest, packet: found.packet, outer: packet, encapsulated: found.encapsulated });
  }
  return trail;
}

/** A stay of the packet in one namespace: from where it came in to where it left. */
export interface Visit {
  readonly place: Place;
  readonly sightings: Trail;
}

export function visitsOf(trail: Trail): readonly Visit[] {
  const visits: { place: Place; sightings: Sighting[] }[] = [];
  for (const sighting of trail) {
    const current = visits.at(-1);
    if (current !== undefined && samePlace(current.place, sighting.place)) current.sightings.push(sighting);
    else visits.push({ place: sighting.place, sightings: [sighting] });
  }
  return visits;
}

/** Whether this is a sighting at home: a packet that comes into the namespace which owns its destination address. */
export function isHome({ direction, packet, place, encapsulated }: Sighting, directory: Directory): boolean {
  if (direction !== 'in' || encapsulated) return false;
  const pod = directory.pod(packet.destination);
  const node = directory.node(packet.destination);
  if (place.kind === 'pod') return pod !== undefined && place.name === `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;
  if (place.kind === 'machine') return pod === undefined && node === undefined;
  return place.kind === 'node' && pod === undefined && node?.metadata?.name === place.name;
}
