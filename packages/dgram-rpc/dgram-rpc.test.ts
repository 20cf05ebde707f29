import test from 'ava';
import * as fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { RpcClient, RpcError, RpcServer, clientStep, decode, defaultLimits, encode, idleClient, idleServer, serverStep } from './index.ts';
import type { ClientEvent, ClientState, ServerEvent, ServerState } from './index.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytes = (value: string): Buffer => Buffer.from(value, 'utf8');
const schedule = { timeoutMs: 1000, firstMs: 100, maxMs: 400 };
const ID = '00000000000000aa';

/** One line per effect: what a golden transcript is made of. */
function clientTranscript(events: readonly ClientEvent[]): readonly string[] {
  let state: ClientState = idleClient();
  const lines: string[] = [];
  for (const event of events) {
    const step = clientStep(state, event);
    state = step.state;
    lines.push(`${event.now} ${event.kind} -> ${[...step.effects.map((effect) => effect.kind === 'send' ? `send ${decode(effect.bytes)?.id ?? '?'}` : effect.outcome.kind === 'answer' ? `answer "${text(effect.outcome.payload)}" sent ${effect.outcome.sent}` : `${effect.outcome.code} ${effect.outcome.text}`), `wake ${step.wakeAt ?? 'never'}`].join(', ')}`);
  }
  return lines;
}

function serverTranscript(events: readonly ServerEvent[], limits = defaultLimits): readonly string[] {
  let state: ServerState = idleServer(limits);
  return events.map((event) => {
    const step = serverStep(state, event);
    state = step.state;
    return `${event.now} ${event.kind} -> ${step.effects.map((effect) => effect.kind === 'handle' ? `handle ${effect.key} "${text(effect.payload)}"` : `send ${effect.peer} ${decode(effect.bytes)?.kind ?? '?'} "${text(decode(effect.bytes)?.payload ?? bytes('?'))}"`).join(', ') || 'nothing'}`;
  });
}

test('a lost request is sent again, each time twice as late, up to the largest distance', (t) => {
  t.deepEqual(clientTranscript([
    { kind: 'call', now: 0, id: ID, payload: bytes('hi'), schedule },
    { kind: 'tick', now: 100 }, { kind: 'tick', now: 300 }, { kind: 'tick', now: 700 },
    { kind: 'datagram', now: 710, bytes: encode({ kind: 'response', id: ID, payload: bytes('ho') }) },
    { kind: 'datagram', now: 711, bytes: encode({ kind: 'response', id: ID, payload: bytes('ho') }) },
  ]), [
    `0 call -> send ${ID}, wake 100`, `100 tick -> send ${ID}, wake 300`, `300 tick -> send ${ID}, wake 700`, `700 tick -> send ${ID}, wake 1000`,
    '710 datagram -> answer "ho" sent 4, wake never', '711 datagram -> wake never',
  ]);
});

test('a call ends at its time-out, at a refusal of the network, or when it is cancelled', (t) => {
  const call: ClientEvent = { kind: 'call', now: 0, id: ID, payload: bytes('hi'), schedule };
  t.deepEqual(clientTranscript([call, { kind: 'tick', now: 1000 }]).at(-1), '1000 tick -> ETIMEDOUT no answer; sent 1 times, wake never');
  t.deepEqual(clientTranscript([call, { kind: 'unreachable', now: 5, code: 'ECONNREFUSED' }]).at(-1), '5 unreachable -> ECONNREFUSED the network says that it is not reachable, wake never');
  t.deepEqual(clientTranscript([call, { kind: 'cancel', now: 5, id: ID }]).at(-1), '5 cancel -> wake never');
});

test('strangers\' datagrams are not heard', (t) => {
  const lines = clientTranscript([
    { kind: 'call', now: 0, id: ID, payload: bytes('hi'), schedule },
    { kind: 'datagram', now: 1, bytes: bytes('GET / HTTP/1.1') },
    { kind: 'datagram', now: 2, bytes: encode({ kind: 'response', id: '00000000000000bb', payload: bytes('x') }) },
    { kind: 'datagram', now: 3, bytes: encode({ kind: 'request', id: ID, payload: bytes('x') }) },
    { kind: 'datagram', now: 4, bytes: encode({ kind: 'error', id: ID, payload: bytes('EREMOTE no such thing') }) },
  ]);
  t.deepEqual(lines.slice(1), ['1 datagram -> wake 100', '2 datagram -> wake 100', '3 datagram -> wake 100', '4 datagram -> EREMOTE no such thing, wake never']);
});

test('a request that comes again is handled once: dropped while it runs, answered from memory afterwards', (t) => {
  const request = encode({ kind: 'request', id: ID, payload: bytes('hi') });
  t.deepEqual(serverTranscript([
    { kind: 'datagram', now: 0, peer: '10.0.0.1#5', bytes: request },
    { kind: 'datagram', now: 100, peer: '10.0.0.1#5', bytes: request },
    { kind: 'datagram', now: 101, peer: '10.0.0.2#5', bytes: request },
    { kind: 'answered', now: 200, key: `10.0.0.1#5 ${ID}`, payload: bytes('ho') },
    { kind: 'datagram', now: 300, peer: '10.0.0.1#5', bytes: request },
    { kind: 'failed', now: 301, key: `10.0.0.2#5 ${ID}`, text: 'no such thing' },
    { kind: 'datagram', now: 40_000, peer: '10.0.0.1#5', bytes: request },
  ]), [
    `0 datagram -> handle 10.0.0.1#5 ${ID} "hi"`, '100 datagram -> nothing', `101 datagram -> handle 10.0.0.2#5 ${ID} "hi"`,
    '200 answered -> send 10.0.0.1#5 response "ho"', '300 datagram -> send 10.0.0.1#5 response "ho"',
    '301 failed -> send 10.0.0.2#5 error "EREMOTE no such thing"', `40000 datagram -> handle 10.0.0.1#5 ${ID} "hi"`,
  ]);
});

test('too large a request or answer is refused with the limit', (t) => {
  const limits = { ...defaultLimits, maxBytes: 4 };
  t.deepEqual(serverTranscript([
    { kind: 'datagram', now: 0, peer: 'a#1', bytes: encode({ kind: 'request', id: ID, payload: bytes('12345') }) },
    { kind: 'datagram', now: 1, peer: 'b#1', bytes: encode({ kind: 'request', id: ID, payload: bytes('1234') }) },
    { kind: 'answered', now: 2, key: `b#1 ${ID}`, payload: bytes('12345') },
  ], limits), [
    '0 datagram -> send a#1 error "EMSGSIZE the request of 5 bytes is over the server\'s limit of 4"',
    `1 datagram -> handle b#1 ${ID} "1234"`,
    '2 answered -> send b#1 error "EMSGSIZE the answer of 5 bytes is over the server\'s limit of 4"',
  ]);
});

test('the memory of answers is bounded in number and in bytes, whatever comes', (t) => {
  const limits = { ...defaultLimits, maxAnswers: 5, maxAnswerBytes: 200 };
  fc.assert(fc.property(fc.array(fc.record({ id: fc.nat(40), size: fc.nat(60), gap: fc.nat(20_000) }), { maxLength: 60 }), (requests) => {
    let state = idleServer(limits);
    let now = 0;
    for (const { id, size, gap } of requests) {
      now += gap;
      const hex = id.toString(16).padStart(16, '0');
      state = serverStep(state, { kind: 'datagram', now, peer: 'p#1', bytes: encode({ kind: 'request', id: hex, payload: bytes('') }) }).state;
      state = serverStep(state, { kind: 'answered', now, key: `p#1 ${hex}`, payload: Buffer.alloc(size) }).state;
      const total = [...state.answers.values()].reduce((sum, { bytes: one }) => sum + one.length, 0);
      t.is(state.answerBytes, total);
      t.true(state.answers.size <= 5 && total <= 200);
      t.is(state.running.size, 0);
    }
  }));
});

test('arbitrary datagrams never throw and never look like ours by chance of length', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
    const message = decode(noise);
    if (message !== undefined) t.deepEqual([...encode(message)], [...noise]);
    clientStep(idleClient(), { kind: 'datagram', now: 0, bytes: noise });
  }));
  t.pass();
});

for (const host of ['127.0.0.1', '::1']) {
  test(`a call over ${host} is answered, and the server sees who asked`, async (t) => {
    await using server = await RpcServer.listen((payload, peer) => `${payload.toString()} from ${peer.address} ${peer.family}`);
    await using client = await RpcClient.connect(host, server.port);
    const { payload, sent } = await client.call('hello', { retransmitMs: 5000 });
    t.is(payload.toString(), `hello from ${host} ${host === '::1' ? 'IPv6' : 'IPv4'}`);
    t.is(sent, 1);
  });
}

test('a server that drops every first datagram is still reached, and handles each call once', async (t) => {
  let handled = 0;
  await using server = await RpcServer.listen(() => `${++handled}`, { host: '127.0.0.1' });
  const seen = new Set<string>();
  const relay = createSocket('udp4');
  relay.bind(0, '127.0.0.1');
  await once(relay, 'listening');
  t.teardown(() => { relay.close(); });
  let clientPort = 0;
  relay.on('message', (datagram, from) => {
    if (from.port !== server.port) clientPort = from.port;
    const key = `${from.port === server.port} ${datagram.toString('hex')}`;
    if (!seen.has(key)) seen.add(key); // lost
    else relay.send(datagram, from.port === server.port ? clientPort : server.port, '127.0.0.1');
  });
  await using client = await RpcClient.connect('127.0.0.1', relay.address().port);
  const { payload, sent } = await client.call('x', { retransmitMs: 5 });
  t.is(payload.toString(), '1');
  t.true(sent >= 3, `${sent}`);
  t.is(handled, 1);
});

test('a port where nobody listens refuses', async (t) => {
  const server = await RpcServer.listen(() => '', { host: '127.0.0.1' });
  const { port } = server;
  await server.close();
  await using client = await RpcClient.connect('127.0.0.1', port);
  const error = await t.throwsAsync(client.call('x'), { instanceOf: RpcError });
  t.is(error.code, 'ECONNREFUSED');
});

test('a silent server is a time-out, an aborted call throws the reason, a closed client says so', async (t) => {
  const { promise: never } = Promise.withResolvers<string>();
  await using server = await RpcServer.listen(() => never, { host: '127.0.0.1' });
  await using client = await RpcClient.connect('127.0.0.1', server.port);
  t.is((await t.throwsAsync(client.call('x', { timeoutMs: 20 }), { instanceOf: RpcError })).code, 'ETIMEDOUT');
  const reason = new Error('enough');
  const stop = new AbortController();
  const call = client.call('x', { signal: stop.signal });
  stop.abort(reason);
  t.is(await t.throwsAsync(call), reason);
  const pending = client.call('x');
  await client.close();
  t.is((await t.throwsAsync(pending, { instanceOf: RpcError })).code, 'ECLOSED');
  await t.throwsAsync(client.call('x'), { code: 'ECLOSED' });
});

test('what the handler throws reaches the caller', async (t) => {
  await using server = await RpcServer.listen(() => { throw new Error('no such thing'); });
  await using client = await RpcClient.connect('127.0.0.1', server.port);
  await t.throwsAsync(client.call('x'), { code: 'EREMOTE', message: /no such thing/ });
});

test('a payload over the limit is refused before it is sent; both sides may raise it to the largest datagram', async (t) => {
  await using server = await RpcServer.listen((payload) => payload, { maxBytes: 65_000 });
  await using small = await RpcClient.connect('127.0.0.1', server.port);
  await t.throwsAsync(small.call(Buffer.alloc(1201)), { code: 'EMSGSIZE' });
  await using large = await RpcClient.connect('127.0.0.1', server.port, { maxBytes: 65_000 });
  t.is((await large.call(Buffer.alloc(60_000))).payload.length, 60_000);
});

test('a port in use is named', async (t) => {
  await using server = await RpcServer.listen(() => '');
  await t.throwsAsync(RpcServer.listen(() => '', { port: server.port }), { code: 'EADDRINUSE', message: new RegExp(`port ${server.port}`) });
});

test('a thousand calls at once are each answered with their own answer', async (t) => {
  await using server = await RpcServer.listen((payload) => payload);
  await using client = await RpcClient.connect('127.0.0.1', server.port);
  const answers = await Promise.all(Array.from({ length: 1000 }, async (_, i) => (await client.call(`${i}`, { retransmitMs: 2000, timeoutMs: 20_000 })).payload.toString()));
  t.deepEqual(answers, Array.from({ length: 1000 }, (_, i) => `${i}`));
});

test('the example of the README prints what it says', (t) => {
  const [, code = ''] = /```ts\n([^]*?)```/.exec(readFileSync(new URL('README.md', import.meta.url), 'utf8')) ?? [];
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], { cwd: import.meta.dirname, encoding: 'utf8' });
  t.is(status, 0, stderr);
  t.is(stdout.trim(), /\/\/ (.*)$/m.exec(code)?.[1] ?? '?');
});
