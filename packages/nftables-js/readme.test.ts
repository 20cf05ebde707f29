// The README's examples, run as they stand: each prints what its own comments say.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

unshareNetns(); // children are born in it

const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/^## (.*)$|```ts\n([^]*?)```/gm)];

let section = '';
let number = 0;
for (const [, heading, code] of examples) {
  if (heading !== undefined) section = heading;
  if (code === undefined) continue;
  number++;
  test.serial(`example ${number} of the README ("${section}") prints what it says`, (t) => {
    spawnSync('/usr/sbin/nft', ['flush', 'ruleset']);
    const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], { cwd: import.meta.dirname, encoding: 'utf8' });
    t.is(run.status, 0, run.stderr);
    const expected = [...code.matchAll(/^\/\/ (.*)$/gm)].map(([, line]) => line ?? '');
    t.deepEqual(run.stdout.trim().split('\n').sort(), expected.sort());
  });
}
