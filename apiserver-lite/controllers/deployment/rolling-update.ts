// The arithmetic of a rolling update, pure: how far the new ReplicaSet may grow and the old ones may shrink.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment

export type IntOrPercent = number | string;

/** `25%` of `total`, rounded the asked way; a plain number is itself. Throws on text that is neither. */
export function resolveIntOrPercent(value: IntOrPercent, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) throw new RangeError(`${value} is neither a number nor a percentage such as 25%`);
  const exact = (Number(match[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

export interface Fence {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Surge rounds up, unavailable rounds down; both zero would never move, so unavailable is then 1. */
export function resolveFence(maxSurge: IntOrPercent, maxUnavailable: IntOrPercent, replicas: number): Fence {
  const surge = resolveIntOrPercent(maxSurge, replicas, 'up');
  const unavailable = resolveIntOrPercent(maxUnavailable, replicas, 'down');
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas) };
}

/** What the arithmetic needs to know of a ReplicaSet. */
export interface ReplicaCount {
  readonly name: string;
  readonly specReplicas: number;
  readonly availableReplicas: number;
}

/** The size the new ReplicaSet may take now: up to the wanted number, never above replicas + maxSurge in all. */
export function newReplicaSetSize(replicas: number, fence: Fence, fresh: ReplicaCount, old: readonly ReplicaCount[]): number {
  if (fresh.specReplicas >= replicas) return replicas;
  const total = fresh.specReplicas + old.reduce((sum, { specReplicas }) => sum + specReplicas, 0);
  const room = replicas + fence.maxSurge - total;
  return room <= 0 ? fresh.specReplicas : Math.min(replicas, fresh.specReplicas + room);
}

/**
 * New sizes for the old ReplicaSets (oldest first), by name; only those that change.
 * First pods that are not available are given up, since losing them costs nothing; then available ones as far as
 * replicas - maxUnavailable stay available in all.
 */
export function oldReplicaSetSizes(replicas: number, fence: Fence, fresh: ReplicaCount, old: readonly ReplicaCount[]): ReadonlyMap<string, number> {
  const sizes = new Map(old.map(({ name, specReplicas }) => [name, specReplicas]));
  const sum = (pick: (one: ReplicaCount) => number): number => old.reduce((all, one) => all + pick(one), pick(fresh));
  const minAvailable = replicas - fence.maxUnavailable;
  const freshUnavailable = Math.max(0, fresh.specReplicas - fresh.availableReplicas);
  let spare = sum(({ specReplicas }) => specReplicas) - minAvailable - freshUnavailable;
  if (spare <= 0) return new Map();
  for (const { name, specReplicas, availableReplicas } of old) {
    const give = Math.min(spare, Math.max(0, specReplicas - availableReplicas));
    sizes.set(name, specReplicas - give);
    spare -= give;
  }
  let expendable = sum(({ availableReplicas }) => availableReplicas) - minAvailable;
  for (const { name } of old) {
    const size = sizes.get(name) ?? 0;
    const give = Math.max(0, Math.min(expendable, size));
    sizes.set(name, size - give);
    expendable -= give;
  }
  return new Map(old.filter(({ name, specReplicas }) => sizes.get(name) !== specReplicas).map(({ name }) => [name, sizes.get(name) ?? 0]));
}

/**
 * Sizes when a Deployment is scaled in the middle of a rollout (or paused): every ReplicaSet keeps its share of the new
 * total, the rest goes to the largest, so that a bad new version does not get all the new pods.
 */
export function proportionalSizes(replicas: number, fence: Fence, sets: readonly ReplicaCount[], previousTotal: number): ReadonlyMap<string, number> {
  const active = sets.filter(({ specReplicas }) => specReplicas > 0).sort((a, b) => b.specReplicas - a.specReplicas || (a.name < b.name ? -1 : 1));
  const total = active.reduce((sum, { specReplicas }) => sum + specReplicas, 0);
  const wanted = replicas === 0 ? 0 : replicas + fence.maxSurge;
  let left = wanted - total;
  if (left === 0 || active.length === 0) return new Map();
  const base = previousTotal > 0 ? previousTotal : total;
  const sizes = new Map<string, number>();
  for (const { name, specReplicas } of active) {
    const share = Math.round((specReplicas * wanted) / base) - specReplicas;
    const step = left > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
    sizes.set(name, Math.max(0, specReplicas + step));
    left -= step;
  }
  const largest = active[0];
  if (left !== 0 && largest !== undefined) sizes.set(largest.name, Math.max(0, (sizes.get(largest.name) ?? 0) + left));
  return sizes;
}
