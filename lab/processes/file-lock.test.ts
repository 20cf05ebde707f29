import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { lockFile } from './file-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'lab-lock-'));
test.after.always(() => { rmSync(folder, { recursive: true }); });

test('one holder at a time: the next gets the lock when the first gives it back', async (t) => {
  const file = join(folder, 'lock');
  const order: string[] = [];
  const first = await lockFile(file);
  const second = lockFile(file).then(async (lock) => {
    order.push('second holds');
    await lock[Symbol.asyncDispose]();
  });
  await lockFile(join(folder, 'another')).then((lock) => lock[Symbol.asyncDispose]());
  order.push('first gives back');
  await first[Symbol.asyncDispose]();
  await second;
  t.deepEqual(order, ['first gives back', 'second holds']);
});

test('a file that cannot be made is an error that names it', async (t) => {
  await t.throwsAsync(lockFile(join(folder, 'none', 'lock')), { message: /none\/lock cannot be locked/u });
});
