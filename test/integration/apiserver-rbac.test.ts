import { Agent } from 'node:https';
import test from 'ava';
import { dig, TestServer } from './apiserver-client.ts';

let api: TestServer;
test.before(async () => { api = await TestServer.start({ authorizationMode: 'RBAC' }); });
test.after.always(() => api.stop());

const agentOf = async (commonName: string, organizations: string[] = []): Promise<Agent> => {
  const { cert, key } = await api.server.pki.issueClientCert({ commonName, organizations });
  return new Agent({ ca: api.server.pki.caCert, cert, key });
};
const rbac = '/apis/rbac.authorization.k8s.io/v1';

test('without a role a user may only look around, and is told what is missing', async (t) => {
  const jane = await agentOf('jane');
  t.is((await api.call('GET', '/apis', undefined, {}, jane)).status, 200);
  const refused = await api.call('GET', '/api/v1/namespaces/default/pods', undefined, {}, jane);
  t.is(refused.status, 403);
  t.is(refused.body['message'], 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"');
});

test('a Role holds in its namespace only, a ClusterRole bound cluster-wide everywhere', async (t) => {
  const kim = await agentOf('kim', ['readers']);
  await api.call('POST', `${rbac}/namespaces/default/roles`, { metadata: { name: 'maps' }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'get'] }] });
  await api.call('POST', `${rbac}/namespaces/default/rolebindings`, { metadata: { name: 'maps' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'maps' }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'kim' }] });
  t.is((await api.call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'x' } }, {}, kim)).status, 201);
  t.is((await api.call('POST', '/api/v1/namespaces/kube-system/configmaps', { metadata: { name: 'x' } }, {}, kim)).status, 403);
  t.is((await api.call('DELETE', '/api/v1/namespaces/default/configmaps/x', undefined, {}, kim)).status, 403);
  await api.call('POST', `${rbac}/clusterrolebindings`, { metadata: { name: 'readers' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }, subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'readers' }] });
  t.is((await api.call('GET', '/api/v1/namespaces/kube-system/configmaps', undefined, {}, kim)).status, 200);
  t.is((await api.call('GET', '/api/v1/namespaces/kube-system/secrets', undefined, {}, kim)).status, 403);
});

test('a node may report itself and renew its Lease, but not create Deployments', async (t) => {
  const node = await agentOf('system:node:n1', ['system:nodes']);
  t.is((await api.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' } }, {}, node)).status, 201);
  t.is((await api.call('POST', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: 'n1' }, spec: {} }, {}, node)).status, 201);
  t.is((await api.call('POST', '/apis/apps/v1/namespaces/default/deployments', {}, {}, node)).status, 403);
});

test('access reviews answer for oneself and for others', async (t) => {
  const lee = await agentOf('lee');
  const ask = { spec: { resourceAttributes: { verb: 'delete', resource: 'nodes' } } };
  t.false(dig((await api.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', ask, {}, lee)).body, 'status.allowed'));
  t.true(dig((await api.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', ask)).body, 'status.allowed'));
  t.true(dig((await api.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec: { user: 'x', groups: ['system:masters'], ...ask.spec } })).body, 'status.allowed'));
  t.is(dig((await api.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, {}, lee)).body, 'status.userInfo.username'), 'lee');
});
