import test from 'ava';
import { countTapLine, newTally } from './tap.ts';

test('a TAP stream is counted line by line, and only its result lines', (t) => {
  const tally = newTally();
  const kinds = ['TAP version 13', 'ok 1 - a works', 'not ok 2 - b breaks', '  ---', "    message: 'ok 7 - not a result'", 'ok 3 - c # SKIP no SCTP in this kernel', '1..3'].map((line) => countTapLine(line, tally));
  t.deepEqual(kinds, [undefined, 'passed', 'failed', undefined, undefined, 'skipped', undefined]);
  t.deepEqual(tally, { passed: 1, failed: 1, skipped: 1 });
});
