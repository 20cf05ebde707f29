import type { ApiObject } from '../registry/definition.ts';
import type { PolicyRule } from './rbac.ts';

const apiVersion = 'rbac.authorization.k8s.io/v1';
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const apiGroup = 'rbac.authorization.k8s.io';

const role = (name: string, rules: readonly PolicyRule[], extra: Record<string, string> = {}): ApiObject =>
  ({ apiVersion, kind: 'ClusterRole', metadata: { name, labels: { ...labels, ...extra } }, rules });
const binding = (name: string, roleName: string, subjects: readonly { kind: 'User' | 'Group'; name: string }[]): ApiObject =>
  ({ apiVersion, kind: 'ClusterRoleBinding', metadata: { name, labels }, roleRef: { apiGroup, kind: 'ClusterRole', name: roleName }, subjects: subjects.map((subject) => ({ apiGroup, ...subject })) });

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const rule = (apiGroups: string[], resources: string[], verbs: string[]): PolicyRule => ({ apiGroups, resources, verbs });

const workloads: PolicyRule[] = [
  rule([''], ['configmaps', 'endpoints', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'replicationcontrollers/scale', 'serviceaccounts', 'services'], read),
  rule([''], ['bindings', 'events', 'limitranges', 'namespaces', 'namespaces/status', 'pods/log', 'pods/status', 'replicationcontrollers/status', 'resourcequotas', 'resourcequotas/status', 'services/status', 'persistentvolumeclaims/status'], read),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(['apps'], ['controllerrevisions', 'daemonsets', 'daemonsets/status', 'deployments', 'deployments/scale', 'deployments/status', 'replicasets', 'replicasets/scale', 'replicasets/status', 'statefulsets', 'statefulsets/scale', 'statefulsets/status'], read),
  rule(['batch'], ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], read),
  rule(['autoscaling'], ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], read),
  rule(['networking.k8s.io'], ['ingresses', 'ingresses/status', 'networkpolicies'], read),
  rule(['policy'], ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
];

const editing: PolicyRule[] = [
  rule([''], ['secrets', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy'], read),
  rule([''], ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'pods/eviction', 'configmaps', 'events', 'endpoints', 'persistentvolumeclaims', 'replicationcontrollers', 'replicationcontrollers/scale', 'secrets', 'serviceaccounts', 'serviceaccounts/token', 'services', 'services/proxy'], write),
  rule(['discovery.k8s.io'], ['endpointslices'], write),
  rule(['apps'], ['daemonsets', 'deployments', 'deployments/rollback', 'deployments/scale', 'replicasets', 'replicasets/scale', 'statefulsets', 'statefulsets/scale'], write),
  rule(['batch'], ['cronjobs', 'jobs'], write),
  rule(['autoscaling'], ['horizontalpodautoscalers'], write),
  rule(['networking.k8s.io'], ['ingresses', 'networkpolicies'], write),
  rule(['policy'], ['poddisruptionbudgets'], write),
  rule(['coordination.k8s.io'], ['leases'], [...read, ...write]),
];

const administering: PolicyRule[] = [
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
  rule([apiGroup], ['rolebindings', 'roles'], [...read, ...write]),
];

const nodeRules: PolicyRule[] = [
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews', 'subjectaccessreviews'], ['create']),
  rule([''], ['nodes'], ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']),
  rule([''], ['nodes/status', 'pods/status', 'serviceaccounts/token'], ['create', 'get', 'patch', 'update']),
  rule([''], ['pods'], ['create', 'delete', ...read]),
  rule([''], ['pods/eviction'], ['create']),
  rule([''], ['configmaps', 'secrets', 'services', 'endpoints', 'namespaces', 'persistentvolumeclaims', 'persistentvolumes', 'serviceaccounts'], read),
  rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule(['coordination.k8s.io'], ['leases'], ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(['networking.k8s.io'], ['servicecidrs'], read),
  rule(['node.k8s.io'], ['runtimeclasses'], read),
  rule(['storage.k8s.io'], ['csinodes'], ['create', 'delete', 'get', 'patch', 'update']),
];

/** What every cluster with RBAC has from the start. Agents host the proxy, so nodes may also read what a proxy reads. */
export const bootstrapRoles: readonly ApiObject[] = [
  role('cluster-admin', [rule(['*'], ['*'], ['*']), { nonResourceURLs: ['*'], verbs: ['*'] }]),
  role('admin', [...workloads, ...editing, ...administering]),
  role('edit', [...workloads, ...editing]),
  role('view', workloads),
  role('system:discovery', [{ nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version', '/version/'], verbs: ['get'] }]),
  role('system:basic-user', [rule(['authorization.k8s.io'], ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']), rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create'])]),
  role('system:node', nodeRules),
  role('system:node-proxier', [rule([''], ['endpoints', 'services', 'nodes'], read), rule(['discovery.k8s.io'], ['endpointslices'], read), rule(['networking.k8s.io'], ['servicecidrs'], read), rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update'])]),
  role('system:auth-delegator', [rule(['authentication.k8s.io'], ['tokenreviews'], ['create']), rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create'])]),
  binding('cluster-admin', 'cluster-admin', [{ kind: 'Group', name: 'system:masters' }]),
  binding('system:discovery', 'system:discovery', [{ kind: 'Group', name: 'system:authenticated' }]),
  binding('system:basic-user', 'system:basic-user', [{ kind: 'Group', name: 'system:authenticated' }]),
  binding('system:node', 'system:node', [{ kind: 'Group', name: 'system:nodes' }]),
  binding('system:node-proxier', 'system:node-proxier', [{ kind: 'User', name: 'system:kube-proxy' }]),
];
