// Packs endpoints into EndpointSlices of at most 100, changing as few slices as can be, pure.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#distribution-of-endpointslices
import type { Endpoint, EndpointPort, EndpointSlice } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';
import type { EndpointGroup } from './endpoints.ts';

export const maxEndpointsPerSlice = 100;

/** What to do with the slices of one Service. `create` holds contents without names: the shell names them. */
export interface SlicePlan {
  readonly create: readonly EndpointGroup[];
  readonly update: readonly { readonly slice: EndpointSlice; readonly ports: readonly EndpointPort[]; readonly endpoints: readonly Endpoint[] }[];
  readonly remove: readonly EndpointSlice[];
}

/** Who an endpoint is, whatever its conditions: the pod behind it and its address. */
const identity = (endpoint: Endpoint): string => `${endpoint.targetRef?.uid ?? ''} ${endpoint.addresses[0] ?? ''}`;

const sliceKey = (addressType: string, ports: readonly EndpointPort[]): string =>
  `${addressType} ${JSON.stringify(ports.map(({ name, port, protocol, appProtocol }) => [name ?? '', port, protocol ?? 'TCP', appProtocol]))}`;

interface Draft {
  readonly slice: EndpointSlice;
  endpoints: Endpoint[];
  changed: boolean;
}

/** Keeps each endpoint where it is, refreshed; drops what is gone; fills new ones into the fullest slice with room. */
function planGroup(group: EndpointGroup, slices: readonly EndpointSlice[], max: number, alwaysWrite: (slice: EndpointSlice) => boolean): SlicePlan {
  const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  const drafts: Draft[] = slices.map((slice) => {
    const kept: Endpoint[] = [];
    let changed = alwaysWrite(slice);
    for (const endpoint of slice.endpoints) {
      const fresh = wanted.get(identity(endpoint));
      if (fresh === undefined) changed = true;
      else {
        wanted.delete(identity(endpoint));
        changed ||= !sameMeaning(fresh, endpoint);
        kept.push(fresh);
      }
    }
    return { slice, endpoints: kept, changed };
  });
  const added = [...wanted.values()];
  // A slice that must be written anyway costs nothing more to fill; after those, the fullest one that takes all that is left.
  const byRoom = [...drafts].sort((a, b) => Number(b.changed) - Number(a.changed) || b.endpoints.length - a.endpoints.length);
  for (const draft of byRoom) {
    const room = max - draft.endpoints.length;
    if (added.length === 0 || room <= 0 || (!draft.changed && room < added.length)) continue;
    draft.endpoints = [...draft.endpoints, ...added.splice(0, room)];
    draft.changed = true;
  }
  const create: EndpointGroup[] = [];
  while (added.length > 0) create.push({ ...group, endpoints: added.splice(0, max) });
  const changed = drafts.filter((draft) => draft.changed);
  return {
    create,
    update: changed.filter(({ endpoints }) => endpoints.length > 0).map(({ slice, endpoints }) => ({ slice, ports: group.ports, endpoints })),
    remove: changed.filter(({ endpoints }) => endpoints.length === 0).map(({ slice }) => slice),
  };
}

/**
 * Desired groups against the slices that exist. `isStale` marks slices whose labels must be written again.
 * A Service without endpoints keeps one empty slice per family, so that consumers can tell "none" from "not yet".
 */
export function planSlices(groups: readonly EndpointGroup[], slices: readonly EndpointSlice[], isStale: (slice: EndpointSlice) => boolean = () => false, max = maxEndpointsPerSlice): SlicePlan {
  const left = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = sliceKey(slice.addressType, slice.ports ?? []);
    left.set(key, [...(left.get(key) ?? []), slice]);
  }
  const plans = groups.map((group) => {
    const key = sliceKey(group.addressType, group.ports);
    const own = left.get(key) ?? [];
    left.delete(key);
    if (group.endpoints.length > 0) return planGroup(group, own, max, isStale);
    const [first, ...rest] = own;
    if (first === undefined) return { create: [group], update: [], remove: [] };
    const write = first.endpoints.length > 0 || isStale(first);
    return { create: [], update: write ? [{ slice: first, ports: group.ports, endpoints: [] }] : [], remove: rest };
  });
  return {
    create: plans.flatMap(({ create }) => create),
    update: plans.flatMap(({ update }) => update),
    remove: [...plans.flatMap(({ remove }) => remove), ...[...left.values()].flat()],
  };
}
