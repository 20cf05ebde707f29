// Consistent hashing (Eisenbud et al., "Maglev", NSDI 2016, section 3.4): every node computes the same table from the same
// endpoints, and one endpoint's coming or going moves few of the others' connections.
import { createHash } from 'node:crypto';

/** Prime, and much larger than a Service's usual number of endpoints. */
export const MAGLEV_SLOTS = 251;

/** For each slot the index into `keys`. Equal sets of keys give equal tables, whatever their order. */
export function maglevTable(keys: readonly string[], size = MAGLEV_SLOTS): number[] {
  const order = keys.map((key, index) => ({ key, index })).sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, size);
  if (order.length === 0) return [];
  const walkers = order.map(({ key, index }) => {
    const digest = createHash('sha256').update(key).digest();
    return { index, offset: digest.readUInt32BE(0) % size, skip: 1 + (digest.readUInt32BE(4) % (size - 1)), step: 0 };
  });
  const table = Array.from({ length: size }, () => -1);
  for (let filled = 0; filled < size;) {
    for (const walker of walkers) {
      let slot = (walker.offset + walker.step++ * walker.skip) % size;
      while (table[slot] !== -1) slot = (walker.offset + walker.step++ * walker.skip) % size;
      table[slot] = walker.index;
      if (++filled === size) break;
    }
  }
  return table;
}
