import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import dns from 'dns-packet';
import { attempt } from './attempt.ts';
import { candidates, lookUp, parseResolvConf } from './lookup.ts';
import type { Lookup } from './protocol.ts';
import { serveProbes } from './serve.ts';

test('a short name is made longer by the search list; one with enough dots is tried as it stands first; a final dot ends it', (t) => {
  const conf = parseResolvConf('search ns.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions timeout:1 ndots:5\n');
  t.deepEqual(conf, { search: ['ns.svc.cluster.local', 'svc.cluster.local'], ndots: 5 });
  t.deepEqual(candidates('web', conf), ['web.ns.svc.cluster.local', 'web.svc.cluster.local', 'web']);
  t.deepEqual(candidates('web.ns.svc.cluster.local.', conf), ['web.ns.svc.cluster.local']);
  t.deepEqual(candidates('a.b', { ...conf, ndots: 1 }), ['a.b', 'a.b.ns.svc.cluster.local', 'a.b.svc.cluster.local']);
  t.deepEqual(parseResolvConf(''), { search: [], ndots: 1 });
});

/** Knows web.test. (127.0.0.1, ::1) and empty.test.; nothing else. */
function reply(bytes: Buffer): Buffer {
  const { id = 0, questions = [] } = dns.decode(bytes);
  const [{ name, type } = { name: '', type: 'A' }] = questions;
  const isKnown = name === 'web.test' || name === 'empty.test';
  const answers = name !== 'web.test' ? [] : type === 'A' ? [{ type: 'A', name, data: '127.0.0.1' } as const] : [{ type: 'AAAA', name, data: '::1' } as const];
  return dns.encode({ type: 'response', id, flags: isKnown ? 0 : 3, questions, answers });
}

async function serveNames(t: ExecutionContext): Promise<number> {
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (query: Buffer) => {
      const answer = reply(query.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(length); // in pieces, as a network may deliver it
      socket.write(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', (query, peer) => { udp.send(reply(query), peer.port, peer.address); });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  t.teardown(() => { tcp.close(); udp.close(); });
  return port;
}

for (const transport of ['udp', 'tcp'] as const) {
  test(`a name is resolved over ${transport}, for both kinds of address; what nobody has is NXDOMAIN`, async (t) => {
    const port = await serveNames(t);
    const ask = (name: string, record: Lookup['record']): Promise<readonly string[]> => lookUp({ name, record, server: '127.0.0.1', port, transport }, 5000);
    t.deepEqual(await ask('web.test.', 'A'), ['127.0.0.1']);
    t.deepEqual(await ask('web.test.', 'AAAA'), ['::1']);
    t.deepEqual(await ask('empty.test.', 'A'), []);
    await t.throwsAsync(ask('nobody.test.', 'A'), { code: 'NXDOMAIN' });
  });

  test(`an attempt by name over ${transport} goes to the address that the name has, and says where it failed`, async (t) => {
    const port = await serveNames(t);
    await using server = await serveProbes([0], { pod: 'web-1', node: 'node1' });
    const lookup = { record: 'A', server: '127.0.0.1', port, transport } as const;
    const request = { id: '1', protocol: 'tcp', host: '', port: server.ports[0]!, timeoutMs: 5000 } as const;
    t.like(await attempt({ ...request, lookup: { ...lookup, name: 'web.test.' } }), { ok: true, resolved: ['127.0.0.1'], answer: { pod: 'web-1' } });
    t.like(await attempt({ ...request, lookup: { ...lookup, name: 'nobody.test.' } }), { ok: false, refused: true, failedAt: 'lookup' });
    t.like(await attempt({ ...request, lookup: { ...lookup, name: 'empty.test.' } }), { ok: false, error: 'ENODATA', resolved: [] });
    t.like(await attempt({ ...request, port: 1, lookup: { ...lookup, name: 'web.test.' } }), { ok: false, refused: true, resolved: ['127.0.0.1'] });
    t.like(await attempt({ ...request, lookup: { ...lookup, port: 1, name: 'web.test.' } }), { ok: false, refused: true, failedAt: 'lookup' });
  });
}

test('a DNS server that says nothing is a time-out of the lookup', async (t) => {
  const silent = createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => { silent.close(); });
  const lookup = { name: 'web.test.', record: 'A', server: '127.0.0.1', port: silent.address().port, transport: 'udp' } as const;
  t.like(await attempt({ id: '1', protocol: 'tcp', host: '', port: 1, timeoutMs: 50, lookup }), { ok: false, timeout: true, failedAt: 'lookup' });
});
