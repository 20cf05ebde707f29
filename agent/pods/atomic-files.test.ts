import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { writeVolume } from './atomic-files.ts';
import type { VolumeFile } from './atomic-files.ts';

const files = (entries: Readonly<Record<string, string>>): Map<string, VolumeFile> => new Map(Object.entries(entries).map(([name, text]) => [name, { data: Buffer.from(text), mode: 0o640 }]));

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'podwire-agent-'));
  try {
    await body(path.join(folder, 'volume'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('files appear through one link, with their modes', (t) => withFolder(async (folder) => {
  t.true(await writeVolume(folder, files({ 'a.txt': '1', 'dir/b': '2' })));
  t.is(await readFile(path.join(folder, 'a.txt'), 'utf8'), '1');
  t.is(await readFile(path.join(folder, 'dir/b'), 'utf8'), '2');
  t.true((await lstat(path.join(folder, '..data'))).isSymbolicLink());
  t.is((await stat(path.join(folder, 'a.txt'))).mode & 0o777, 0o640);
}));

test('the same content changes nothing', (t) => withFolder(async (folder) => {
  await writeVolume(folder, files({ a: '1' }));
  const before = await readlink(path.join(folder, '..data'));
  t.false(await writeVolume(folder, files({ a: '1' })));
  t.is(await readlink(path.join(folder, '..data')), before);
}));

test('an update swaps the link, and what is gone leaves nothing behind', (t) => withFolder(async (folder) => {
  await writeVolume(folder, files({ a: '1', old: 'x' }));
  t.true(await writeVolume(folder, files({ a: '2', new: 'y' })));
  t.is(await readFile(path.join(folder, 'a'), 'utf8'), '2');
  const names = (await readdir(folder)).filter((name) => !name.startsWith('..'));
  t.deepEqual(names.sort(), ['a', 'new']);
  t.is((await readdir(folder)).length, 4);
}));

test('a path that leaves the volume is refused', async (t) => {
  await withFolder(async (folder) => {
    for (const bad of ['../a', '/etc/passwd', 'a/../../b', '..data']) await t.throwsAsync(writeVolume(folder, files({ [bad]: '1' })), { instanceOf: RangeError }, bad);
  });
});
