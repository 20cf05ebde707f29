// After a large first load most of the process is garbage that the C library keeps for itself: half of the resident memory at
// 30,000 Services. One collection and one malloc_trim(3) give it back.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';

/** Takes some 100 ms at that size; for quiet moments. */
export function trimMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') (collect as (options: object) => void)({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const trim = koffi.load(null).func('int malloc_trim(size_t pad)') as (pad: number) => number;
  trim(0);
}
