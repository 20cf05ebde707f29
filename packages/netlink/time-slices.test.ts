import test from 'ava';
import { TimeSlices } from './time-slices.ts';

test('long work lets a timer run, and goes on in a slice of its own', async (t) => {
  let hasFired = false;
  setTimeout(() => { hasFired = true; }, 1);
  const slices = new TimeSlices(5);
  let pauses = 0;
  while (!hasFired) {
    if (!slices.isOver) continue;
    await slices.next();
    pauses++;
    t.false(slices.isOver);
  }
  t.true(pauses > 0);
});
