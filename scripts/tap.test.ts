import test from 'ava';
import { countTapLine, fileOfTapLine, newTally } from './tap.ts';

test('a TAP stream is counted line by line, and only its result lines', (t) => {
  const tally = newTally();
  const kinds = ['TAP version 13', 'ok 1 - a works', 'not ok 2 - b breaks', '  ---', "    message: 'ok 7 - not a result'", 'ok 3 - c # SKIP no SCTP in this kernel', '1..3'].map((line) => countTapLine(line, tally));
  t.deepEqual(kinds, [undefined, 'passed', 'failed', undefined, undefined, 'skipped', undefined]);
  t.deepEqual(tally, { passed: 1, failed: 1, skipped: 1 });
});

test('a failed line names its file: by the folders that are not common to all, or by its path', (t) => {
  const files = ['test/e2e/matrix.test.ts', 'test/e2e/lab-start.test.ts', 'lab/matrix/matrix.test.ts'];
  t.is(fileOfTapLine('not ok 7 - lab-start › it starts', files), files[1]);
  t.is(fileOfTapLine('not ok 7 - e2e › lab-start › it starts', files), files[1]);
  t.is(fileOfTapLine('not ok 7 - lab › matrix › matrix › a cell', files.slice(1)), files[2]);
  t.is(fileOfTapLine('not ok 7 - test/e2e/matrix.test.ts exited due to SIGKILL', files), files[0]);
  t.is(fileOfTapLine('not ok 7 - it starts', files.slice(1, 2)), files[1]);
  t.is(fileOfTapLine('not ok 7 - matrix › a cell', files), undefined, 'two files end so');
  t.is(fileOfTapLine('ok 7 - lab-start › it starts', files), undefined);
});
