import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { startApiServer } from '../../apiserver-lite/index.ts';
import type { RunningApiServer } from '../../apiserver-lite/index.ts';

// A kubelet that only says what it was asked; the API server must find it by the Node's status and pass everything through.
const directory = mkdtempSync(join(tmpdir(), 'apiserver-streams-'));
let server: RunningApiServer;
let kubeletPort = 0;
const seenUsers: string[] = [];
let kubelet: ReturnType<typeof createServer>;

const call = async (method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> => {
  const outgoing = httpsRequest(server.url + path, { method, ca: server.pki.caCert, cert: server.admin.cert, key: server.admin.key, headers: { 'content-type': 'application/json' } });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  const [incoming] = await once(outgoing, 'response') as [IncomingMessage];
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return { status: incoming.statusCode ?? 0, text };
};

test.before(async () => {
  server = await startApiServer({ dataDir: directory, securePort: 0, controllers: false, log: pino({ level: 'silent' }) });
  const serving = await server.pki.issueServingCert({ commonName: 'system:node:node1', names: ['127.0.0.1'] });
  kubelet = createServer({ ...serving, ca: server.pki.caCert, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    response.end(`${request.method ?? ''} ${request.url ?? ''}`);
  });
  kubelet.on('upgrade', (request, socket: Socket, head: Buffer) => {
    if (socket instanceof TLSSocket) seenUsers.push(String(socket.getPeerCertificate().subject.CN));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade ?? ''}\r\nX-Path: ${request.url ?? ''}\r\nX-Token: ${request.headers.authorization ?? 'none'}\r\n\r\n`);
    if (head.length > 0) socket.write(head);
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
  });
  kubelet.listen(0, '127.0.0.1');
  await once(kubelet, 'listening');
  kubeletPort = (kubelet.address() as AddressInfo).port;
  await call('POST', '/api/v1/nodes', { metadata: { name: 'node1' }, status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } } } });
  for (const name of ['one', 'free']) {
    await call('POST', '/api/v1/namespaces/default/pods', { metadata: { name }, spec: { ...(name === 'one' && { nodeName: 'node1' }), containers: [{ name: 'main', image: 'x' }] } });
  }
  await call('POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'two' }, spec: { nodeName: 'node1', containers: [{ name: 'a', image: 'x' }, { name: 'b', image: 'x' }] } });
});

test.after.always(async () => {
  kubelet.close();
  kubelet.closeAllConnections();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const pods = '/api/v1/namespaces/default/pods';

const upgrade = async (path: string, protocol = 'SPDY/3.1'): Promise<{ response: IncomingMessage; socket: Socket }> => {
  const outgoing = httpsRequest(server.url + path, {
    method: 'POST', ca: server.pki.caCert, cert: server.admin.cert, key: server.admin.key, headers: { Connection: 'Upgrade', Upgrade: protocol, Authorization: 'Bearer secret' },
  });
  outgoing.end();
  outgoing.once('response', (refused) => outgoing.destroy(new Error(`refused with ${refused.statusCode ?? 0}`)));
  const [response, socket] = await once(outgoing, 'upgrade') as [IncomingMessage, Socket];
  return { response, socket };
};

test('logs come from the kubelet of the pod, with the parameters that it understands', async (t) => {
  const { status, text } = await call('GET', `${pods}/one/log?follow=true&tailLines=5&pretty=true`);
  t.is(status, 200);
  t.is(text, 'GET /containerLogs/default/one/main?follow=true&tailLines=5');
});

test('a pod with several containers needs one named, and an unknown one is refused', async (t) => {
  const unnamed = await call('GET', `${pods}/two/log`);
  t.is(unnamed.status, 400);
  t.regex(unnamed.text, /a container name must be specified for pod two, choose one of: \[a b\]/);
  t.is((await call('GET', `${pods}/two/log?container=b`)).text, 'GET /containerLogs/default/two/b?');
  t.regex((await call('GET', `${pods}/two/log?container=c`)).text, /container c is not valid for pod two/);
});

test('logs of a pod without a node are empty', async (t) => {
  t.deepEqual(await call('GET', `${pods}/free/log`), { status: 200, text: '' });
});

test('exec is tunnelled byte for byte with the kubelet parameters and without the caller\'s credentials', async (t) => {
  const { response, socket } = await upgrade(`${pods}/one/exec?command=sh&command=-c&command=echo%20hi&stdin=true&stdout=true&tty=true&container=main`);
  t.is(response.headers['x-path'], '/exec/default/one/main?input=1&output=1&tty=1&command=sh&command=-c&command=echo+hi');
  t.is(response.headers['x-token'], 'none');
  t.is(seenUsers.at(-1), 'kube-apiserver-kubelet-client');
  socket.write('hello');
  t.is(String((await once(socket, 'data') as [Buffer])[0]), 'HELLO');
  socket.destroy();
});

test('port-forward reaches the kubelet over a WebSocket subprotocol too', async (t) => {
  const { response, socket } = await upgrade(`${pods}/one/portforward?ports=80`, 'websocket');
  t.is(response.headers['x-path'], '/portForward/default/one?port=80');
  socket.destroy();
});

test('exec without an upgrade, or into a pod without a node, is refused as a Status', async (t) => {
  t.regex((await call('POST', `${pods}/one/exec?command=ls`)).text, /Upgrade request required/);
  const outgoing = httpsRequest(`${server.url}${pods}/free/exec?command=ls`, { method: 'POST', ca: server.pki.caCert, cert: server.admin.cert, key: server.admin.key, headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1' } });
  outgoing.end();
  const [response] = await once(outgoing, 'response') as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  t.is(response.statusCode, 400);
  t.regex(text, /pod free does not have a host assigned/);
});

test('the node proxy passes any path on to the kubelet', async (t) => {
  t.is((await call('GET', '/api/v1/nodes/node1/proxy/stats/summary?only=cpu')).text, 'GET /stats/summary?only=cpu');
});
