// Filter, then score: the scheduler as two lists of small plugins, pure.
// https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
import type { Pod } from '@podwire/kube-client';
import type { NodeInfo, Snapshot } from './snapshot.ts';

export interface FilterPlugin {
  readonly name: string;
  /** The reason why the node cannot take the pod, in the words of kube-scheduler's events; `undefined` when it can. */
  readonly filter: (pod: Pod, node: NodeInfo, snapshot: Snapshot) => string | undefined;
}

export interface ScorePlugin {
  readonly name: string;
  readonly weight: number;
  /** Raw points per candidate; `normalize` brings them to 0..100 (default: they already are). */
  readonly score: (pod: Pod, node: NodeInfo, snapshot: Snapshot) => number;
  readonly normalize?: (scores: readonly number[]) => readonly number[];
}

export interface Verdict {
  readonly node: string;
  /** `plugin: reason` when filtered out. */
  readonly refused?: { readonly plugin: string; readonly reason: string };
  /** Weighted points by plugin, and their sum, when not filtered out. */
  readonly points?: ReadonlyMap<string, number>;
  readonly total?: number;
}

export interface Decision {
  /** The chosen node, or `undefined` when every node refuses. */
  readonly node: string | undefined;
  readonly verdicts: readonly Verdict[];
}

/** 0..100 in proportion to the highest; with `reverse` the highest gets 0. */
export function normalizeToMax(scores: readonly number[], reverse = false): readonly number[] {
  const highest = Math.max(0, ...scores);
  if (highest === 0) return scores.map(() => (reverse ? 100 : 0));
  return scores.map((score) => (reverse ? 100 - (score * 100) / highest : (score * 100) / highest));
}

/** 0..100 between the lowest and the highest, which may be negative. */
export function normalizeToRange(scores: readonly number[]): readonly number[] {
  const lowest = Math.min(...scores);
  const span = Math.max(...scores) - lowest;
  return scores.map((score) => (span === 0 ? 0 : ((score - lowest) * 100) / span));
}

/** Decides one pod. `tieBreak` (0..1) picks among equals, so that the caller owns the randomness. */
export function decide(pod: Pod, snapshot: Snapshot, filters: readonly FilterPlugin[], scorers: readonly ScorePlugin[], tieBreak = 0): Decision {
  const refusals = new Map<string, { plugin: string; reason: string }>();
  const feasible = snapshot.nodes.filter((node) => {
    for (const { name, filter } of filters) {
      const reason = filter(pod, node, snapshot);
      if (reason === undefined) continue;
      refusals.set(node.name, { plugin: name, reason });
      return false;
    }
    return true;
  });
  const columns = scorers.map(({ name, weight, score, normalize }) => {
    const raw = feasible.map((node) => score(pod, node, snapshot));
    const scaled = normalize === undefined ? raw : normalize(raw);
    return { name, points: scaled.map((points) => points * weight) };
  });
  const scored = feasible.map(({ name }, index) => {
    const points = new Map(columns.map((column) => [column.name, column.points[index] ?? 0]));
    return { node: name, points, total: [...points.values()].reduce((sum, one) => sum + one, 0) };
  });
  const best = Math.max(...scored.map(({ total }) => total));
  const winners = scored.filter(({ total }) => best - total < 1e-9);
  const chosen = winners[Math.min(winners.length - 1, Math.floor(tieBreak * winners.length))];
  const refused = snapshot.nodes.flatMap(({ name }) => {
    const why = refusals.get(name);
    return why === undefined ? [] : [{ node: name, refused: why }];
  });
  return { node: chosen?.node, verdicts: [...scored, ...refused] };
}

/** `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`, as kubectl users know it. */
export function describeRefusals({ verdicts }: Decision): string {
  const counts = new Map<string, number>();
  for (const { refused } of verdicts) {
    if (refused !== undefined) counts.set(refused.reason, (counts.get(refused.reason) ?? 0) + 1);
  }
  if (verdicts.length === 0) return '0/0 nodes are available: no nodes available to schedule pods.';
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${verdicts.length} nodes are available: ${parts.join(', ')}.`;
}
