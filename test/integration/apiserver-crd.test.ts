import test from 'ava';
import { dig, TestServer } from './apiserver-client.ts';

let api: TestServer;
test.before(async () => { api = await TestServer.start(); });
test.after.always(() => api.stop());

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const version = (name: string, storage: boolean, properties: object): object => ({ name, served: true, storage, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } } });
const crd = { metadata: { name: 'things.example.com' }, spec: { group: 'example.com', scope: 'Cluster', names: { plural: 'things', kind: 'Thing' }, versions: [version('v1', true, { size: { type: 'integer' } }), version('v1beta1', false, { size: { type: 'integer' } })] } };

test.serial('a custom resource is one object under all its served versions', async (t) => {
  t.is((await api.call('POST', crds, crd)).status, 201);
  t.is((await api.call('POST', '/apis/example.com/v1beta1/things', { metadata: { name: 'a' }, spec: { size: 1 } })).body['apiVersion'], 'example.com/v1beta1');
  const { body } = await api.call('GET', '/apis/example.com/v1/things/a');
  t.is(body['apiVersion'], 'example.com/v1');
  t.is(dig(body, 'spec.size'), 1);
  t.is((await api.call('PATCH', '/apis/example.com/v1/things/a', { spec: { size: 2 } }, { 'content-type': 'application/merge-patch+json' })).status, 200);
  t.is(dig((await api.call('GET', '/apis/example.com/v1beta1/things/a')).body, 'spec.size'), 2);
  t.deepEqual((dig((await api.call('GET', '/apis/example.com')).body, 'versions') as { version: string }[]).map((each) => each.version), ['v1', 'v1beta1']);
});

test.serial('custom resources survive a restart and go with their definition', async (t) => {
  await api.restart();
  t.is((await api.call('GET', '/apis/example.com/v1/things/a')).status, 200);
  await api.call('DELETE', `${crds}/things.example.com`);
  t.is((await api.call('GET', '/apis/example.com/v1/things')).status, 404);
  await api.call('POST', crds, crd);
  t.is(dig((await api.call('GET', '/apis/example.com/v1/things')).body, 'items.length'), 0);
});

test.serial('a bad definition is refused with everything that is wrong', async (t) => {
  const { status, body } = await api.call('POST', crds, { metadata: { name: 'wrong' }, spec: { group: 'example.com', scope: 'World', names: { plural: 'xs', kind: 'X' }, versions: [{ name: 'v1', served: true, storage: false }] } });
  t.is(status, 422);
  t.deepEqual((dig(body, 'details.causes') as { field: string }[]).map(({ field }) => field).sort(), ['metadata.name', 'spec.scope', 'spec.versions', 'spec.versions[0].schema.openAPIV3Schema']);
});
