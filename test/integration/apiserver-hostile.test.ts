import test from 'ava';
import { TestServer } from './apiserver-client.ts';

// Whatever a client sends, the answer is its own mistake by name (4xx), never a fault of the server (5xx).
let api: TestServer;
test.before(async () => {
  api = await TestServer.start();
  await api.call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'target' }, data: { a: '1' } });
  await api.call('POST', '/apis/apps/v1/namespaces/default/deployments', { metadata: { name: 'target' }, spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } } } });
});
test.after.always(() => api.stop());

const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const merge = { 'content-type': 'application/merge-patch+json' };
const json = { 'content-type': 'application/json-patch+json' };
const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
const apply = { 'content-type': 'application/apply-patch+yaml' };

const requests: readonly [method: string, path: string, body?: unknown, headers?: Record<string, string>][] = [
  ['GET', '//'], ['GET', '/api/v1//'], ['GET', '/api/v1/namespaces/%00/pods/%ff'], ['GET', '/apis/..%2f..'], ['GET', `${maps}?limit=abc`], ['GET', `${maps}?limit=-5`], ['GET', `${maps}?continue=zzz&limit=1`],
  ['GET', `${maps}?resourceVersion=abc`], ['GET', `${maps}?resourceVersion=-1`], ['GET', `${maps}?labelSelector=${encodeURIComponent('((')}`], ['GET', `${maps}?fieldSelector=${encodeURIComponent('=')}`],
  ['GET', maps, undefined, { accept: ';;,;as=Table;v=,' }], ['GET', '/openapi/v3/nothing'], ['GET', '/openapi'], ['GET', `${maps}/target/nothing`], ['BREW', maps], ['OPTIONS', maps],
  ['POST', maps, 'null'], ['POST', maps, '[]'], ['POST', maps, '"x"'], ['POST', maps, '{'], ['POST', maps, ''], ['POST', maps, { metadata: 'x' }], ['POST', maps, { metadata: null }], ['POST', maps, { metadata: { name: 1 } }],
  ['POST', maps, { metadata: { name: 'x', labels: 'y' } }], ['POST', maps, { metadata: { name: 'x', finalizers: [1] } }], ['POST', maps, { metadata: { name: 'x', ownerReferences: [null] } }], ['POST', maps, { kind: 1, metadata: { name: 'x' } }],
  ['POST', maps, `{"metadata":{"name":"x","annotations":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}}`], ['POST', maps, { metadata: { name: 'x' }, __proto__: { polluted: true } }], ['POST', maps, '{"metadata":{"name":"x","labels":{"__proto__":"y"}}}'],
  ['POST', `${maps}?dryRun=maybe`, { metadata: { name: 'x' } }], ['POST', `${maps}?fieldValidation=maybe`, { metadata: { name: 'x' } }],
  ['POST', maps, Buffer.from('k8s\0garbage').toString('latin1'), { 'content-type': 'application/vnd.kubernetes.protobuf' }], ['POST', maps, 'a: [', { 'content-type': 'application/yaml' }], ['POST', maps, 'a: &a [*a]', { 'content-type': 'application/yaml' }],
  ['PATCH', `${maps}/target`, 'null', merge], ['PATCH', `${maps}/target`, '[]', merge], ['PATCH', `${maps}/target`, { metadata: null }, merge], ['PATCH', `${maps}/target`, { metadata: 'x' }, merge], ['PATCH', `${maps}/target`, { metadata: { name: null } }, merge],
  ['PATCH', `${maps}/target`, { kind: null, apiVersion: null }, merge], ['PATCH', `${maps}/target`, { kind: 'Secret' }, merge], ['PATCH', `${maps}/target`, { metadata: { uid: 'x' } }, merge], ['PATCH', `${maps}/target`, { metadata: { managedFields: 'x' } }, merge],
  ['PATCH', `${maps}/target`, { metadata: { managedFields: [{ fieldsV1: 1 }] } }, merge],
  ['PATCH', `${maps}/target`, {}, json], ['PATCH', `${maps}/target`, [{ op: 'replace', path: '', value: [] }], json], ['PATCH', `${maps}/target`, [{ op: 'remove', path: '/metadata' }], json], ['PATCH', `${maps}/target`, [{ op: 'fly', path: '/x' }], json],
  ['PATCH', `${maps}/target`, [{ op: 'remove', path: '/metadata/uid' }, { op: 'test', path: '/nothing', value: 1 }], json], ['PATCH', `${maps}/target`, {}, { 'content-type': 'text/plain' }],
  ['PATCH', `${deployments}/target`, { spec: { template: { spec: { containers: 'x' } } } }, strategic], ['PATCH', `${deployments}/target`, { spec: { template: { spec: { containers: [{ $patch: 'fly' }] } } } }, strategic], ['PATCH', `${deployments}/target`, { spec: null }, strategic],
  ['PATCH', `${deployments}/target`, { spec: null }, merge], ['PATCH', `${deployments}/target/scale`, { spec: { replicas: 'x' } }, merge], ['PATCH', `${deployments}/target/scale`, { spec: null }, merge], ['PUT', `${deployments}/target/scale`, {}], ['PUT', `${deployments}/target/status`, {}],
  ['PATCH', `${maps}/target?fieldManager=x`, 'null', apply], ['PATCH', `${maps}/target`, '{}', apply], ['PATCH', `${maps}/other?fieldManager=x`, 'apiVersion: v1\nkind: Secret\n', apply],
  ['DELETE', `${maps}/nothing`, 'x'], ['DELETE', `${maps}/nothing`, { gracePeriodSeconds: 'x' }], ['DELETE', `${maps}/nothing`, { preconditions: 1 }], ['DELETE', `${maps}/nothing?propagationPolicy=Never`],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { spec: {} }], ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'a.b.c' } }], ['POST', '/api/v1/namespaces/default/bindings', { metadata: { name: 'x' }, target: { name: 'y' } }],
  ['POST', '/api/v1/namespaces/default/pods/x/eviction', {}], ['GET', '/api/v1/namespaces/default/pods/x/log'], ['GET', '/api/v1/nodes/x/proxy/y'], ['GET', '/api/v1/namespaces/default/services/:::/proxy/'],
];

for (const [method, path, body, headers] of requests) {
  const shown = `${method} ${path} ${typeof body === 'string' ? body.slice(0, 60) : JSON.stringify(body ?? '').slice(0, 80)} ${headers?.['content-type'] ?? ''}`;
  test.serial(`no fault of the server: ${shown} (${requests.findIndex((each) => each[1] === path && each[2] === body && each[3] === headers)})`, async (t) => {
    const { status, text } = await api.call(method, path, body, headers);
    t.true(status < 500, `${status} ${text}`);
  });
}

test.serial('after all that the server still answers', async (t) => {
  t.is((await api.call('GET', `${maps}/target`)).status, 200);
});
