import test from 'ava';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { FakeApi, KubeClient, canonicalJson, isAlreadyExists, isConflict, isConnectionError, isNotFound, parseKubeconfig, resources, lines, loadKubeconfig } from './index.ts';

test('objects are created, read, replaced, patched and deleted by their descriptor', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const created = await client.create(resources.pods, { metadata: { name: 'a', namespace: 'x' }, spec: { containers: [] } });
  t.is(created.kind, 'Pod');
  t.is((await client.get(resources.pods, { name: 'a', namespace: 'x' })).metadata?.uid, created.metadata?.uid);
  t.true(isAlreadyExists(await t.throwsAsync(client.create(resources.pods, { metadata: { name: 'a', namespace: 'x' } }))));
  const patched = await client.patch(resources.pods, { name: 'a', namespace: 'x' }, 'merge', { metadata: { labels: { app: 'web' } } });
  t.deepEqual(patched.metadata?.labels, { app: 'web' });
  t.true(isConflict(await t.throwsAsync(client.update(resources.pods, created))));
  await client.delete(resources.pods, { name: 'a', namespace: 'x' });
  t.true(isNotFound(await t.throwsAsync(client.get(resources.pods, { name: 'a', namespace: 'x' }))));
  client.close();
});

test('deleting what may be gone already fails only for other reasons', async (t) => {
  await using api = await FakeApi.start();
  api.put(resources.pods, { metadata: { name: 'a', namespace: 'x' }, spec: { containers: [] } });
  const client = new KubeClient(api.access);
  await client.deleteIfThere(resources.pods, { name: 'a', namespace: 'x' });
  t.true(isNotFound(await t.throwsAsync(client.delete(resources.pods, { name: 'a', namespace: 'x' }))));
  await t.notThrowsAsync(client.deleteIfThere(resources.pods, { name: 'a', namespace: 'x' }));
  const nobody = new KubeClient({ ...api.access, server: 'http://127.0.0.1:1' });
  t.true(isConnectionError(await t.throwsAsync(nobody.deleteIfThere(resources.pods, { name: 'a', namespace: 'x' }))));
  client.close();
  nobody.close();
});

test('canonical JSON: the order of keys and absent members make no difference, the order of a list does', (t) => {
  t.is(canonicalJson({ b: [2, { d: 1, c: null }], a: 'x', gone: undefined }), '{"a":"x","b":[2,{"c":null,"d":1}]}');
  t.not(canonicalJson([1, 2]), canonicalJson([2, 1]));
});

test('a list follows its pages and says its version', async (t) => {
  await using api = await FakeApi.start();
  for (let n = 0; n < 25; n++) api.put(resources.services, { metadata: { name: `s${n}`, namespace: 'default' } });
  const client = new KubeClient(api.access);
  const { items, resourceVersion } = await client.list(resources.services, { pageSize: 10 });
  t.is(items.length, 25);
  t.is(Number(resourceVersion), 26);
  t.is(api.requests.length, 3);
  client.close();
});

test('a list that a Go server writes as null is an empty list: created, read, listed and watched', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const none = { metadata: { name: 'a', namespace: 'x' }, addressType: 'IPv4', endpoints: null, ports: null };
  const lists = ({ endpoints, ports }: { endpoints: unknown; ports?: unknown }): unknown => [endpoints, ports];
  t.deepEqual(lists(await client.create(resources.endpointSlices, none as never)), [[], []]);
  t.deepEqual(lists(await client.get(resources.endpointSlices, none.metadata)), [[], []]);
  t.deepEqual((await client.list(resources.endpointSlices)).items.map(lists), [[[], []]]);
  for await (const { object } of client.watch(resources.endpointSlices, { resourceVersion: '1' })) {
    t.deepEqual(lists(object), [[], []]);
    break;
  }
  client.close();
});

test('a server that does not answer is a ConnectionError that names it and the remedy', async (t) => {
  const api = await FakeApi.start();
  const { access } = api;
  await api.close();
  const error = await t.throwsAsync(new KubeClient(access).get(resources.nodes, { name: 'n' }));
  t.true(isConnectionError(error));
  t.regex(error.message, /127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED.*check that it runs/);
});

test('an aborted call rejects with the abort', async (t) => {
  await using api = await FakeApi.start();
  const client = new KubeClient(api.access);
  const error = await t.throwsAsync(client.get(resources.nodes, { name: 'n' }, { signal: AbortSignal.abort() }));
  t.is(error.name, 'AbortError');
});

test('a kubeconfig gives inline data before files, and files relative to itself', (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pw-kubeconfig-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  fs.writeFileSync(path.join(directory, 'client.crt'), 'CERT');
  fs.writeFileSync(path.join(directory, 'kubeconfig'), `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: ns}}]
clusters: [{name: k, cluster: {server: "https://10.0.0.1:6443/", certificate-authority-data: ${Buffer.from('CA').toString('base64')}, certificate-authority: nowhere}}]
users: [{name: u, user: {client-certificate: client.crt, client-key-data: ${Buffer.from('KEY').toString('base64')}, token: secret}}]
`);
  t.deepEqual({ ...loadKubeconfig(path.join(directory, 'kubeconfig')) }, { server: 'https://10.0.0.1:6443', namespace: 'ns', ca: 'CA', cert: 'CERT', key: 'KEY', token: 'secret' });
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['no current context', '{}', /current-context is empty/],
  ['an unknown context', 'current-context: x', /contexts has no entry named "x"/],
  ['no server', 'current-context: x\ncontexts: [{name: x, context: {cluster: k}}]\nclusters: [{name: k, cluster: {}}]', /server is missing/],
  ['a credential plugin', 'current-context: x\ncontexts: [{name: x, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: "https://a"}}]\nusers: [{name: u, user: {exec: {}}}]', /credential plugin/],
  ['no YAML', '{', /not YAML/],
];
for (const [title, source, message] of wrong) {
  test(`a kubeconfig with ${title} is refused by name`, (t) => {
    t.throws(() => parseKubeconfig(source), { message });
  });
}

test('lines survive any cut, also inside a character', async (t) => {
  const bytes = Buffer.from('{"a":"é"}\n\n{"b":"漢字"}\n');
  for (let size = 1; size < bytes.length; size++) {
    const found: string[] = [];
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
    for await (const line of lines(Readable.from(chunks, { objectMode: true }))) found.push(line);
    t.deepEqual(found, ['{"a":"é"}', '{"b":"漢字"}']);
  }
});
