import { jsonEquals } from './json.ts';

/**
 * The order of a merged list. Elements that `wanted` names stand in its order; the others ("server only") keep the order they
 * had in `before`. Where the two sequences meet, an element of the server goes first, unless `before` had it behind.
 */
export function orderElements(merged: readonly unknown[], wanted: readonly unknown[], before: readonly unknown[], key: (item: unknown) => unknown): unknown[] {
  const positionIn = (list: readonly unknown[], item: unknown): number => list.findIndex((other) => jsonEquals(key(other), key(item)));

  const placed = merged
    .filter((item) => positionIn(wanted, item) >= 0)
    .sort((a, b) => positionIn(wanted, a) - positionIn(wanted, b));
  const serverOnly = merged.filter((item) => positionIn(wanted, item) < 0);

  const result: unknown[] = [];
  let next = 0;
  for (const other of serverOnly) {
    const otherAt = positionIn(before, other);
    while (next < placed.length) {
      const at = positionIn(before, placed[next]);
      if (at < 0 || otherAt < 0 || at >= otherAt) break;
      result.push(placed[next++]);
    }
    result.push(other);
  }
  return [...result, ...placed.slice(next)];
}
