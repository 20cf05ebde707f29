import test from 'ava';
import { LabError } from '../errors.ts';
import { probeBundle } from '../probe/bundle.ts';
import { serveProbes } from '../probe/serve.ts';
import type { Places } from './places.ts';
import { Prober } from './prober.ts';

const here: Places = { outsideAddresses: [], command: async (_place, args) => [process.execPath, await probeBundle(), ...args] };

test('one process makes many attempts at once, each with its own result', async (t) => {
  await using server = await serveProbes([0], { pod: 'p', node: 'n' });
  await using prober = await Prober.start(here, { kind: 'outside' });
  const results = await Promise.all(Array.from({ length: 30 }, (_, i) => prober.attempt({ protocol: i % 2 === 0 ? 'tcp' : 'udp', host: '127.0.0.1', port: server.ports[0]!, timeoutMs: 10_000 })));
  t.true(results.every(({ ok, answer }) => ok && answer?.pod === 'p'));
  t.is(new Set(results.map(({ id }) => id)).size, 30);
});

test('a process that ends fails its attempts with its place and its last words', async (t) => {
  const dying: Places = { ...here, command: () => Promise.resolve(['/bin/sh', '-c', 'read line; echo no such namespace >&2; exit 7']) };
  await using prober = await Prober.start(dying, { kind: 'node', name: 'node9' });
  const error = await t.throwsAsync(prober.attempt({ protocol: 'tcp', host: '127.0.0.1', port: 1, timeoutMs: 1000 }), { instanceOf: LabError });
  t.is(error.message, 'the probe at node node9 ended with exit code 7: no such namespace');
  await t.throwsAsync(prober.attempt({ protocol: 'tcp', host: '127.0.0.1', port: 1, timeoutMs: 1000 }), { is: error });
});

test('a program that is not there is named', async (t) => {
  const missing: Places = { ...here, command: () => Promise.resolve(['/nowhere/probe']) };
  await using prober = await Prober.start(missing, { kind: 'pod', namespace: 'a', name: 'b', node: 'c' });
  await t.throwsAsync(prober.attempt({ protocol: 'tcp', host: '127.0.0.1', port: 1, timeoutMs: 1000 }), { message: /^the probe at pod a\/b cannot be started: .*ENOENT/ });
});
