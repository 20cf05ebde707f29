import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { SqliteStore } from '../../apiserver-lite/store/sqlite-store.ts';

/** Writes without end and prints each key once its commit is acknowledged. */
const writer = `
import { SqliteStore } from ${JSON.stringify(new URL('../../apiserver-lite/store/sqlite-store.ts', import.meta.url).href)};
const store = new SqliteStore(process.argv[1]);
let next = 0;
const loop = async () => { for (;;) { const key = '/k' + next++; await store.commit([{ key, put: 'x'.repeat(500), expectedRevision: 0 }]); process.stdout.write(key + '\\n'); } };
await Promise.all(Array.from({ length: 16 }, loop));
`;

test('kill -9 in the middle of writing loses nothing that was acknowledged', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'apiserver-kill-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'store.db');
  const acknowledged: string[] = [];
  for (let round = 1; round <= 2; round += 1) {
    rmSync(path, { force: true });
    rmSync(`${path}-wal`, { force: true });
    acknowledged.length = 0;
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line);
      if (acknowledged.length === 200 * round) child.kill('SIGKILL');
    }
    const store = new SqliteStore(path);
    const kept = new Set((await store.list('/')).entries.map(({ key }) => key));
    t.deepEqual(acknowledged.filter((key) => !kept.has(key)), []);
    await store.close();
  }
});
