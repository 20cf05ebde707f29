import { lastOf, networkOf } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';

interface Claim {
  readonly first: bigint;
  readonly last: bigint;
  readonly node: string;
}

/** Who has which network. The claims of one family never overlap, so the only one that can be in the way is the one just below. */
export class Claims {
  readonly #byFamily: Readonly<Record<4 | 6, Claim[]>> = { 4: [], 6: [] };

  /** The node that has a part of `cidr`. */
  holder(cidr: Cidr): string | undefined {
    const list = this.#byFamily[cidr.family];
    const below = list[this.#countUpTo(list, lastOf(cidr)) - 1];
    return below !== undefined && below.last >= networkOf(cidr) ? below.node : undefined;
  }

  add(cidr: Cidr, node: string): void {
    const list = this.#byFamily[cidr.family];
    const first = networkOf(cidr);
    list.splice(this.#countUpTo(list, first), 0, { first, last: lastOf(cidr), node });
  }

  /** How many claims begin at or below `address`. */
  #countUpTo(list: readonly Claim[], address: bigint): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const claim = list[middle];
      if (claim !== undefined && claim.first <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
