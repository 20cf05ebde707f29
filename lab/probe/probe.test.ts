import test from 'ava';
import type { ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { attempt } from './attempt.ts';
import { probeBundle } from './bundle.ts';
import { padded, parseAnswer, parseRequestLine, requestLine } from './protocol.ts';
import type { ProbeResult } from './protocol.ts';
import { serveProbes } from './serve.ts';

const identity = { pod: 'web-1', node: 'node1' };

async function serve(t: ExecutionContext): Promise<number> {
  const server = await serveProbes([0], identity);
  t.teardown(() => server[Symbol.asyncDispose]());
  return server.ports[0]!;
}

for (const protocol of ['tcp', 'udp'] as const) {
  for (const host of ['127.0.0.1', '::1']) {
    for (const size of [0, 100, 60_000]) {
      test(`${protocol} over ${host} with ${size} bytes says who answered and whom it saw`, async (t) => {
        const port = await serve(t);
        const { ok, answer } = await attempt({ id: '1', protocol, host, port, timeoutMs: 5000, size });
        t.true(ok);
        t.like(answer, { pod: 'web-1', node: 'node1', source: host });
      });
    }
  }

  test(`${protocol} to a port where nobody listens is refused`, async (t) => {
    const server = await serveProbes([0], identity);
    const port = server.ports[0]!;
    await server[Symbol.asyncDispose]();
    t.like(await attempt({ id: '1', protocol, host: '127.0.0.1', port, timeoutMs: 5000 }), { ok: false, refused: true, timeout: false });
  });
}

test('a server that is silent is a time-out', async (t) => {
  const { createServer } = await import('node:net');
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => { silent.close(); });
  const { port } = silent.address() as { port: number };
  t.like(await attempt({ id: '1', protocol: 'tcp', host: '127.0.0.1', port, timeoutMs: 50 }), { ok: false, timeout: true });
  t.like(await attempt({ id: '2', protocol: 'connect', host: '127.0.0.1', port, timeoutMs: 5000 }), { ok: true });
});

test('lines and answers are read back as they were written, and nothing else is', (t) => {
  t.deepEqual(parseRequestLine(requestLine('ab-1', 5).trimEnd()), { nonce: 'ab-1', size: 5 });
  for (const bad of ['', 'GET / HTTP/1.1', 'probe  1', 'probe x -1', 'probe x 999999999']) t.is(parseRequestLine(bad), undefined, bad);
  t.is(padded('abc', 5).toString(), 'abc  ');
  for (const bad of ['', '{', '{}', '{"pod":1}']) t.is(parseAnswer(bad), undefined, bad);
});

function lines(child: ChildProcess): AsyncIterator<string> {
  return createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
}

test('the bundle serves, answers many requests of one client, and serves on after SIGTERM', async (t) => {
  const bundle = await probeBundle();
  const server = spawn(process.execPath, [bundle, 'server', '--port', '0'], { env: { POD_NAME: 'p', NODE_NAME: 'n', PROBE_LINGER: '1' }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => { server.kill('SIGKILL'); });
  const { listening: [port] } = JSON.parse((await lines(server).next()).value as string) as { listening: [number] };
  const client = spawn(process.execPath, [bundle, 'client'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => { client.kill('SIGKILL'); });
  const answers = lines(client);
  const ask = async (id: string, protocol: string): Promise<ProbeResult> => {
    client.stdin.write(`${JSON.stringify({ id, protocol, host: '127.0.0.1', port, timeoutMs: 5000 })}\n`);
    return JSON.parse((await answers.next()).value as string) as ProbeResult;
  };
  t.like(await ask('a', 'tcp'), { id: 'a', ok: true, answer: { pod: 'p', node: 'n', source: '127.0.0.1' } });
  t.like(await ask('b', 'udp'), { id: 'b', ok: true });
  server.kill('SIGTERM');
  t.like(await ask('c', 'tcp'), { id: 'c', ok: true });
  const [code] = await once(server, 'exit') as [number];
  t.is(code, 0);
  t.like(await ask('d', 'tcp'), { id: 'd', ok: false, refused: true });
  client.stdin.end();
  t.deepEqual(await once(client, 'exit'), [0, null]);
});

test('one-shot commands print one line per attempt and say by exit code whether all were answered', async (t) => {
  const bundle = await probeBundle();
  const port = await serve(t);
  const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
    const [code] = await once(child, 'close') as [number];
    return { code, out, err };
  };
  const good = await run('udp', `[::1]:${port}`, '--count', '3', '--size', '500');
  t.is(good.code, 0);
  t.is(good.out.trim().split('\n').length, 3);
  t.is((await run('tcp', '127.0.0.1:1', '--timeout', '500')).code, 1);
  t.like(await run('tcp', 'nowhere'), { code: 2, out: '' });
  t.regex((await run('tcp', '127.0.0.1:1', '--count', 'x')).err, /--count: x is not a whole number/);
  t.is((await run()).code, 2);
});
