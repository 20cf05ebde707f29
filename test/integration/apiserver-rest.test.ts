import test from 'ava';
import { gunzipSync } from 'node:zlib';
import { dig, TestServer } from './apiserver-client.ts';
import type { Reply } from './apiserver-client.ts';

let api: TestServer;
test.before(async () => { api = await TestServer.start({ adminToken: 'sesame' }); });
test.after.always(() => api.stop());

const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const map = (name: string, extra: object = {}): object => ({ metadata: { name, ...extra } });
const deployment = (name: string, replicas = 1): object => ({
  metadata: { name }, spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'x' }] } } },
});
const ok = (t: { is: (a: unknown, b: unknown, message?: string) => unknown }, reply: Reply, status = 200): Reply => { t.is(reply.status, status, reply.text); return reply; };

test('a created object carries uid, time, resourceVersion and, with a spec, generation 1', async (t) => {
  const { body } = ok(t, await api.call('POST', deployments, deployment('born')), 201);
  t.regex(String(body.metadata['uid']), /^[0-9a-f-]{36}$/);
  t.regex(String(body.metadata['creationTimestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.true(Number(body.metadata['resourceVersion']) > 0);
  t.is(body.metadata['generation'], 1);
});

test('generateName makes unique names', async (t) => {
  const replies = await Promise.all(Array.from({ length: 5 }, () => api.call('POST', maps, { metadata: { generateName: 'made-' } })));
  t.is(new Set(replies.map(({ body }) => body.metadata['name'])).size, 5);
  t.regex(String(replies[0]?.body.metadata['name']), /^made-[a-z0-9]{5}$/);
});

test('an update with an old resourceVersion is a conflict, one without wins', async (t) => {
  const { body } = await api.call('POST', maps, map('contested'));
  ok(t, await api.call('PUT', `${maps}/contested`, { ...body, data: { a: '1' } }));
  const late = ok(t, await api.call('PUT', `${maps}/contested`, { ...body, data: { a: '2' } }), 409);
  t.is(late.body['reason'], 'Conflict');
  t.is(late.body['message'], 'Operation cannot be fulfilled on configmaps "contested": the object has been modified; please apply your changes to the latest version and try again');
  t.is(dig(ok(t, await api.call('PUT', `${maps}/contested`, { ...map('contested'), data: { a: '3' } })).body, 'data.a'), '3');
});

test('generation counts changes of the spec only, and writes that change nothing write nothing', async (t) => {
  const { body: first } = await api.call('POST', deployments, deployment('counted'));
  const merge = (patch: object, sub = ''): Promise<Reply> => api.call('PATCH', `${deployments}/counted${sub}`, patch, { 'content-type': 'application/merge-patch+json' });
  t.is((await merge({ metadata: { labels: { a: 'b' } } })).body.metadata['generation'], 1);
  const { body: spec } = await merge({ spec: { replicas: 5 } });
  t.is(spec.metadata['generation'], 2);
  const { body: same } = await merge({ spec: { replicas: 5 } });
  t.is(same.metadata['resourceVersion'], spec.metadata['resourceVersion']);
  const { body: status } = await merge({ status: { replicas: 3 }, spec: { replicas: 9 } }, '/status');
  t.is(status.metadata['generation'], 2);
  t.is(dig(status, 'status.replicas'), 3);
  t.is(dig(status, 'spec.replicas'), 5);
  t.is(dig((await merge({ status: { replicas: 7 } })).body, 'status.replicas'), 3);
  t.is(first.metadata['uid'], status.metadata['uid']);
});

test('patches of many clients at once all arrive', async (t) => {
  await api.call('POST', maps, map('busy'));
  const replies = await Promise.all(Array.from({ length: 16 }, (_, index) => api.call('PATCH', `${maps}/busy`, { data: { [`k${index}`]: 'x' } }, { 'content-type': 'application/merge-patch+json' })));
  t.deepEqual(replies.map(({ status }) => status), replies.map(() => 200));
  t.is(Object.keys((await api.call('GET', `${maps}/busy`)).body['data'] as object).length, 16);
});

test('a finalizer holds a deleted object until it is taken away', async (t) => {
  await api.call('POST', maps, map('held', { finalizers: ['example.com/hold'] }));
  const { body } = ok(t, await api.call('DELETE', `${maps}/held`));
  t.is(body.kind, 'ConfigMap');
  t.truthy(body.metadata['deletionTimestamp']);
  ok(t, await api.call('PATCH', `${maps}/held`, { metadata: { finalizers: null } }, { 'content-type': 'application/merge-patch+json' }));
  ok(t, await api.call('GET', `${maps}/held`), 404);
});

test('propagation policies leave their finalizer for the garbage collector', async (t) => {
  for (const [policy, finalizer] of [['Orphan', 'orphan'], ['Foreground', 'foregroundDeletion']] as const) {
    await api.call('POST', deployments, deployment(policy.toLowerCase()));
    const { body } = await api.call('DELETE', `${deployments}/${policy.toLowerCase()}`, { propagationPolicy: policy });
    t.deepEqual(body.metadata['finalizers'], [finalizer]);
  }
});

test('deleting a plain object answers with a Status that names it; preconditions protect it', async (t) => {
  const { body } = await api.call('POST', maps, map('guarded'));
  const refused = ok(t, await api.call('DELETE', `${maps}/guarded`, { preconditions: { uid: 'other' } }), 409);
  t.regex(refused.text, /Precondition failed: UID in precondition: other/);
  const done = ok(t, await api.call('DELETE', `${maps}/guarded`, { preconditions: { uid: body.metadata['uid'] } }));
  t.is(done.body['status'], 'Success');
  t.deepEqual(done.body['details'], { name: 'guarded', kind: 'configmaps', uid: body.metadata['uid'] });
});

test('a pod on a node goes in two steps, one without a node at once', async (t) => {
  const pods = '/api/v1/namespaces/default/pods';
  const pod = (name: string, nodeName?: string): object => ({ metadata: { name }, spec: { ...(nodeName !== undefined && { nodeName }), containers: [{ name: 'c', image: 'x' }] } });
  await api.call('POST', pods, pod('placed', 'n1'));
  const { body } = ok(t, await api.call('DELETE', `${pods}/placed`));
  t.is(body.metadata['deletionGracePeriodSeconds'], 30);
  t.is((await api.call('GET', `${pods}/placed`)).status, 200);
  ok(t, await api.call('DELETE', `${pods}/placed`, { gracePeriodSeconds: 0 }));
  t.is((await api.call('GET', `${pods}/placed`)).status, 404);
  await api.call('POST', pods, pod('unplaced'));
  t.is(ok(t, await api.call('DELETE', `${pods}/unplaced`)).body.kind, 'Status');
});

test('binding sets the node once', async (t) => {
  const pods = '/api/v1/namespaces/default/pods';
  await api.call('POST', pods, { metadata: { name: 'bound' }, spec: { containers: [{ name: 'c', image: 'x' }] } });
  ok(t, await api.call('POST', `${pods}/bound/binding`, { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n1' } }), 201);
  const { body } = await api.call('GET', `${pods}/bound`);
  t.is(dig(body, 'spec.nodeName'), 'n1');
  t.is((dig(body, 'status.conditions') as { type: string; status: string }[]).find(({ type }) => type === 'PodScheduled')?.status, 'True');
  ok(t, await api.call('POST', `${pods}/bound/binding`, { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n2' } }), 409);
});

test('dryRun does everything but write', async (t) => {
  const { body } = ok(t, await api.call('POST', `${maps}?dryRun=All`, map('dry')), 201);
  t.truthy(body.metadata['uid']);
  ok(t, await api.call('GET', `${maps}/dry`), 404);
  await api.call('POST', maps, map('wet'));
  ok(t, await api.call('DELETE', `${maps}/wet?dryRun=All`));
  ok(t, await api.call('GET', `${maps}/wet`));
});

test('unknown and duplicate fields: Strict refuses, Warn warns, Ignore is silent, and none is stored', async (t) => {
  const text = '{"metadata":{"name":"NAME"},"dta":{},"data":{"a":"1"},"data":{"b":"2"}}';
  const strict = ok(t, await api.call('POST', `${maps}?fieldValidation=Strict`, text.replace('NAME', 'strict')), 400);
  t.is(strict.body['message'], 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta", duplicate field "data"');
  const warned = ok(t, await api.call('POST', `${maps}?fieldValidation=Warn`, text.replace('NAME', 'warned')), 201);
  t.is(warned.headers['warning'], '299 - "unknown field \\"dta\\"", 299 - "duplicate field \\"data\\""');
  t.is(warned.body['dta'], undefined);
  t.is(ok(t, await api.call('POST', `${maps}?fieldValidation=Ignore`, text.replace('NAME', 'ignored')), 201).headers['warning'], undefined);
});

test('a body over 3 MiB, broken JSON and an unknown media type are refused with their codes', async (t) => {
  ok(t, await api.call('POST', maps, { ...map('big'), data: { a: 'x'.repeat(3 * 1024 * 1024) } }), 413);
  ok(t, await api.call('POST', maps, '{"metadata":'), 400);
  ok(t, await api.call('POST', maps, 'x', { 'content-type': 'text/csv' }), 415);
});

test('YAML bodies are understood', async (t) => {
  const { body } = ok(t, await api.call('POST', maps, 'metadata:\n  name: yaml\ndata:\n  a: "1"\n', { 'content-type': 'application/yaml' }), 201);
  t.is(dig(body, 'data.a'), '1');
});

test('wrong paths, wrong verbs and wrong names say what they are', async (t) => {
  t.is(ok(t, await api.call('GET', '/api/v1/things'), 404).body['message'], 'the server could not find the requested resource');
  ok(t, await api.call('GET', '/apis/nothing/v1/things'), 404);
  ok(t, await api.call('POST', `${maps}/named`, map('named')), 405);
  ok(t, await api.call('PUT', `${maps}/one`, map('other')), 400);
  ok(t, await api.call('POST', maps, map('here', { namespace: 'elsewhere' })), 400);
  ok(t, await api.call('POST', maps, { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'x' } }), 400);
});

test('large answers are compressed for clients that want it', async (t) => {
  await api.call('POST', maps, { ...map('large'), data: { a: 'x'.repeat(200_000) } });
  const incoming = await api.open('GET', `${maps}/large`, undefined, { 'accept-encoding': 'gzip' });
  t.is(incoming.headers['content-encoding'], 'gzip');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  t.is(dig(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()), 'metadata.name'), 'large');
});

test('who shows no credentials may only ask for health and version, who shows wrong ones nothing', async (t) => {
  const { Agent } = await import('node:https');
  const nobody = new Agent({ ca: api.server.pki.caCert });
  t.is((await api.call('GET', '/readyz', undefined, {}, nobody)).text, 'ok');
  t.is((await api.call('GET', '/version', undefined, {}, nobody)).status, 200);
  t.is((await api.call('GET', maps, undefined, {}, nobody)).status, 401);
  t.is((await api.call('GET', maps, undefined, { authorization: 'Bearer wrong' }, nobody)).status, 401);
  t.is((await api.call('GET', maps, undefined, { authorization: 'Bearer sesame' }, nobody)).status, 200);
});

test('deletecollection takes what the selector matches', async (t) => {
  for (const [name, colour] of [['r1', 'red'], ['r2', 'red'], ['b1', 'blue']] as const) await api.call('POST', maps, map(name, { labels: { colour } }));
  t.is(dig(ok(t, await api.call('DELETE', `${maps}?labelSelector=colour%3Dred`)).body, 'items.length'), 2);
  t.deepEqual(((await api.call('GET', `${maps}?labelSelector=colour`)).body['items'] as { metadata: { name: string } }[]).map((item) => item.metadata.name), ['b1']);
});

test('two Services that want one address or node port: one is told who is first', async (t) => {
  const services = '/api/v1/namespaces/default/services';
  const service = (name: string, spec: object): object => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });
  const { body } = ok(t, await api.call('POST', services, service('first', { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] })), 201);
  const ip = String(dig(body, 'spec.clusterIP'));
  ok(t, await api.call('POST', services, service('second', { clusterIP: ip })), 422);
  ok(t, await api.call('POST', services, service('third', { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] })), 422);
  ok(t, await api.call('DELETE', `${services}/first`));
  ok(t, await api.call('POST', services, service('second', { clusterIP: ip })), 201);
});

test('the namespaces that the cluster lives in cannot be deleted, and the kubernetes Service comes back', async (t) => {
  ok(t, await api.call('DELETE', '/api/v1/namespaces/kube-system'), 403);
  const path = '/api/v1/namespaces/default/services/kubernetes';
  ok(t, await api.call('DELETE', path));
  const deadline = Date.now() + 25_000;
  while ((await api.call('GET', path)).status !== 200 && Date.now() < deadline) await new Promise((resolve) => void setTimeout(resolve, 200));
  t.is(dig(ok(t, await api.call('GET', path)).body, 'spec.clusterIP'), '10.96.0.1');
});

test('a ServiceAccount token authenticates until its account is deleted', async (t) => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  await api.call('POST', accounts, map('robot'));
  const { body } = ok(t, await api.call('POST', `${accounts}/robot/token`, { spec: { audiences: [] } }), 201);
  const token = String(dig(body, 'status.token'));
  const review = async (): Promise<unknown> => (await api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token } })).body['status'];
  const status = await review();
  t.true(dig(status, 'authenticated'));
  t.is(dig(status, 'user.username'), 'system:serviceaccount:default:robot');
  await api.call('DELETE', `${accounts}/robot`);
  t.false(dig(await review(), 'authenticated'));
});
