// Is what was seen what was foretold? Pure.
import type { Predicted, Verdict } from '../model.ts';
import { endText } from '../packet/decode.ts';
import type { Packet } from '../packet/decode.ts';

/** `last`: the request as it was seen last, where it arrived when it did. */
export function agreement({ outcome, endpoints }: Predicted, verdict: Verdict, last: Packet | undefined): boolean {
  switch (outcome) {
    case 'unknown': return true;
    case 'refused': return verdict === 'REJECTED';
    case 'dropped': return verdict === 'DROPPED';
    case 'direct':
    case 'endpoints': {
      // A pod that refuses was reached, too.
      if (verdict !== 'DELIVERED' && verdict !== 'REJECTED') return false;
      const reached = endpoints.find(({ address }) => address === endText(last?.destination ?? '', last?.destinationPort));
      return reached !== undefined && (reached.sources.length === 0 || reached.sources.includes(last?.source ?? ''));
    }
  }
}
