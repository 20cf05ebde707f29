import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { treeKey, writeTar } from './tree.ts';
import type { Entry } from './tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'lab-tree-'));
test.after.always(() => { rmSync(folder, { recursive: true }); });

test('the same files give the same tar, in whatever order they are listed and whenever they were written', async (t) => {
  const source = join(folder, 'program');
  writeFileSync(source, 'x'.repeat(100_000), { mode: 0o755 });
  const entries: readonly Entry[] = [
    { kind: 'file', path: 'bin/program', source, mode: 0o755 },
    { kind: 'link', path: 'bin/alias', target: 'program' },
    { kind: 'text', path: 'etc/hello', text: 'hello\n' },
  ];
  await writeTar(join(folder, 'a.tar'), entries);
  utimesSync(source, 1, 1);
  await writeTar(join(folder, 'b.tar'), entries.toReversed());
  t.true(readFileSync(join(folder, 'a.tar')).equals(readFileSync(join(folder, 'b.tar'))));
});

test('the key changes with a text, a target, a mode of build, and not with the order', (t) => {
  const entries: readonly Entry[] = [{ kind: 'text', path: 'a', text: '1' }, { kind: 'link', path: 'b', target: 'a' }];
  const key = treeKey('recipe', entries);
  t.is(treeKey('recipe', entries.toReversed()), key);
  t.not(treeKey('other', entries), key);
  t.not(treeKey('recipe', [{ kind: 'text', path: 'a', text: '2' }, { kind: 'link', path: 'b', target: 'a' }]), key);
  t.not(treeKey('recipe', [{ kind: 'text', path: 'a', text: '1' }, { kind: 'link', path: 'b', target: 'c' }]), key);
});
