import test from 'ava';
import { parseResourcePath } from './request-info.ts';

const cases: readonly [path: string, parts: object | undefined][] = [
  ['/api/v1/pods', { group: '', version: 'v1', namespace: undefined, resource: 'pods', name: undefined, subresource: undefined, rest: '' }],
  ['/api/v1/namespaces', { group: '', version: 'v1', namespace: undefined, resource: 'namespaces', name: undefined, subresource: undefined, rest: '' }],
  ['/api/v1/namespaces/a', { group: '', version: 'v1', namespace: undefined, resource: 'namespaces', name: 'a', subresource: undefined, rest: '' }],
  ['/api/v1/namespaces/a/finalize', { group: '', version: 'v1', namespace: undefined, resource: 'namespaces', name: 'a', subresource: 'finalize', rest: '' }],
  ['/apis/apps/v1/namespaces/a/deployments/b/scale', { group: 'apps', version: 'v1', namespace: 'a', resource: 'deployments', name: 'b', subresource: 'scale', rest: '' }],
  ['/api/v1/namespaces/a/services/web:80/proxy/x/y/', { group: '', version: 'v1', namespace: 'a', resource: 'services', name: 'web:80', subresource: 'proxy', rest: '/x/y/' }],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', { group: 'rbac.authorization.k8s.io', version: 'v1', namespace: undefined, resource: 'clusterroles', name: 'system:node', subresource: undefined, rest: '' }],
  ['/api/v1', undefined], ['/apis', undefined], ['/healthz', undefined], ['/', undefined],
];
for (const [path, parts] of cases) {
  test(`${path} is ${parts === undefined ? 'no resource' : 'taken apart'}`, (t) => t.deepEqual(parseResourcePath(path) as object | undefined, parts));
}
