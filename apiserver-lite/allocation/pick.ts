import { staticBand } from './ip-range.ts';

/** A random number in [0, below). */
export type Random = (below: number) => number;

export const systemRandom: Random = (below) => Math.floor(Math.random() * below);

/**
 * The first free position of `size`, from a random start in the dynamic part, then in the static part; undefined when all is
 * taken. `tryTake` claims a position and says whether that worked.
 */
export function pickFree(size: number, random: Random, tryTake: (position: number) => boolean): number | undefined {
  const band = staticBand(size);
  return scan(band, size, random, tryTake) ?? scan(0, band, random, tryTake);
}

function scan(from: number, to: number, random: Random, tryTake: (position: number) => boolean): number | undefined {
  const length = to - from;
  if (length <= 0) return undefined;
  const start = random(length);
  for (let step = 0; step < length; step++) {
    const position = from + ((start + step) % length);
    if (tryTake(position)) return position;
  }
  return undefined;
}
