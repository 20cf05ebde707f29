import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { eventually } from '../helpers/poll.ts';
import { background, finish } from '../helpers/run.ts';
import type { Finished } from '../helpers/run.ts';

// What the command line says and how it exits: 2 with a remedy for what the caller must mend.
const main = join(import.meta.dirname, '..', '..', 'apiserver-lite', 'main.ts');
const directory = mkdtempSync(join(tmpdir(), 'apiserver-cli-'));
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

const command = (...args: string[]): string[] => [process.execPath, main, ...args];
const run = (...args: string[]): Promise<Finished> => finish(command(...args), { timeoutMs: 60_000 });
const data = (name: string): string => join(directory, name);

const mistakes: readonly [title: string, args: string[], message: RegExp][] = [
  ['an unknown option', ['--data-dir', data('a'), '--prot', '1'], /unknown option '--prot'/],
  ['a Service range that is no CIDR', ['--data-dir', data('a'), '--service-cluster-ip-range', '10.96.0.0'], /--service-cluster-ip-range: "10\.96\.0\.0" is not a CIDR; write it like 10\.96\.0\.0\/16/],
  ['an address of another machine', ['--data-dir', data('a'), '--bind-address', '192.0.2.1', '--secure-port', '0'], /--bind-address: this machine has no address 192\.0\.2\.1/],
];
for (const [title, args, message] of mistakes) {
  test.serial(`${title} ends with exit code 2 and says what to change`, async (t) => {
    const { code, stderr } = await run(...args);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
  });
}

test.serial('a directory that cannot be made is named', async (t) => {
  writeFileSync(data('file'), '');
  const { code, stderr } = await run('--data-dir', join(data('file'), 'below'));
  t.is(code, 2);
  t.regex(stderr, /--data-dir .*file\/below: .*; give a directory that this user can write to/);
});

test.serial('a port in use is named with the remedy', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run('--data-dir', data('port'), '--secure-port', String(port), '--no-controllers');
  t.is(code, 2);
  t.regex(stderr, new RegExp(`--secure-port: 127\\.0\\.0\\.1:${port} is in use by another process; stop it or choose another port`));
});

test.serial('it starts, holds its store against a second server, and ends with 0 on SIGTERM', async (t) => {
  const server = background(command('--data-dir', data('run'), '--secure-port', '0'));
  t.teardown(server.stop);
  await eventually('ready', () => server.output().includes('API server ready'), { timeoutMs: 60_000 });
  t.regex(readFileSync(join(data('run'), 'kubeconfig'), 'utf8'), /server: https:\/\/127\.0\.0\.1:\d+/);
  const second = await run('--data-dir', data('run'), '--secure-port', '0');
  t.is(second.code, 2, second.stderr);
  t.regex(second.stderr, /another API server uses this store/);
  const ended = once(server.child, 'exit') as Promise<[number | null]>;
  server.child.kill('SIGTERM');
  t.is((await ended)[0], 0);
});
