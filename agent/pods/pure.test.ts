import test from 'ava';
import fc from 'fast-check';
import { aContainer, aPod, aRuntimeContainer as run } from '../testing/fixtures.ts';
import { backoffMs, nextCrashCount, restartAt } from './backoff.ts';
import { containerEnv, ContainerConfigError, serviceVariables } from './env.ts';
import { expandVariables } from './expand.ts';
import { parseReference, pullPolicy } from './images.ts';
import { cgroupResources, qosClass } from './qos.ts';
import { hostsText, parseResolvConf, podResolver, resolvConfText } from './sandbox-files.ts';
import { volumeFiles } from './volume-files.ts';

const node = { name: 'node1', hostIPs: ['10.0.0.1'], podIPs: ['10.244.1.5', 'fd00::5'], allocatableCpu: 4, allocatableMemory: 2 ** 30 };
const none = { configMaps: new Map(), secrets: new Map(), services: [] };

test('back-off is 0, 10, 20, ... 300 seconds', (t) => {
  t.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map((count) => backoffMs(count) / 1000), [0, 10, 20, 40, 80, 160, 300, 300]);
});

test('ten good minutes forgive earlier crashes', (t) => {
  const long = run('main', { state: 'exited', startedAt: 1000, finishedAt: 601_000, crashes: 5 });
  t.is(nextCrashCount(long), 0);
  t.is(restartAt(long), 601_000);
  t.is(nextCrashCount(run('main', { state: 'exited', crashes: 5 })), 6);
});

test('variables are replaced where known, left alone where not, and $$ is a dollar', (t) => {
  const variables = new Map([['A', '1'], ['B', '$(A)']]);
  t.is(expandVariables('$(A)-$(X)-$$(A)-$B-$(B)', variables), '1-$(X)-$(A)-$B-$(A)');
});

test('a text without a dollar is never changed', (t) => {
  fc.assert(fc.property(fc.string().filter((text) => !text.includes('$')), (text) => expandVariables(text, new Map([['A', '1']])) === text));
  t.pass();
});

test('environment: env wins over envFrom, both over Service variables; references see what came before', (t) => {
  const services = [{ metadata: { name: 'my-db', namespace: 'default' }, spec: { clusterIP: '10.96.0.9', ports: [{ port: 5432, name: 'pg', protocol: 'TCP' }] } }];
  const container = aContainer('main', {
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm' } }],
    env: [{ name: 'URL', value: '$(MY_DB_SERVICE_HOST):$(P_port)' }, { name: 'P_port', value: '2' }, { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } }, { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }],
  });
  const env = containerEnv(aPod({}, { metadata: { labels: { app: 'x' }, namespace: 'default' } }), container, { ...none, services, configMaps: new Map([['cm', { data: { port: '1' } }]]) }, node);
  t.is(env.get('URL'), '10.96.0.9:1');
  t.is(env.get('P_port'), '2');
  t.is(env.get('IPS'), '10.244.1.5,fd00::5');
  t.is(env.get('L'), 'x');
  t.is(env.get('MY_DB_SERVICE_PORT_PG'), '5432');
  t.is(env.get('MY_DB_PORT_5432_TCP_ADDR'), '10.96.0.9');
});

test('a missing ConfigMap is a configuration error that names it, unless it is optional', (t) => {
  const wants = (optional: boolean): ReturnType<typeof aContainer> => aContainer('main', { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a', optional } } }] });
  t.throws(() => containerEnv(aPod(), wants(false), none, node), { instanceOf: ContainerConfigError, message: 'configmap "cm" not found' });
  t.false(containerEnv(aPod(), wants(true), none, node).has('A'));
});

test('headless Services and those of other namespaces give no variables; the API server\'s always does', (t) => {
  const service = (name: string, namespace: string, clusterIP: string): object => ({ metadata: { name, namespace }, spec: { clusterIP, ports: [{ port: 1 }] } });
  const names = [...serviceVariables([service('a', 'x', '10.96.0.2'), service('b', 'y', '10.96.0.3'), service('c', 'x', 'None'), service('kubernetes', 'default', '10.96.0.1')], 'x', true).keys()];
  t.true(names.includes('A_SERVICE_HOST') && names.includes('KUBERNETES_SERVICE_HOST'));
  t.false(names.includes('B_SERVICE_HOST') || names.includes('C_SERVICE_HOST'));
});

const references: readonly [string, string][] = [
  ['nginx', 'docker.io nginx latest'], ['nginx:1.27', 'docker.io nginx 1.27'], ['quay.io/a/b:v1', 'quay.io a/b v1'], ['localhost:5000/a', 'localhost:5000 a latest'], ['podwire/demo:1', 'docker.io podwire/demo 1'],
];
for (const [text, expected] of references) {
  test(`image reference ${text}`, (t) => {
    const { registry, repository, tag } = parseReference(text);
    t.is(`${registry} ${repository} ${tag}`, expected);
  });
}

test('what is no image reference is refused by name', (t) => {
  for (const text of ['', 'a b', 'UPPER/Case:1', 'x:y:z', '/a']) t.throws(() => parseReference(text), { code: 'InvalidImageName' }, text);
});

test('an image without a tag is pulled always, one with a tag when it is missing', (t) => {
  t.is(pullPolicy(aContainer('a', { image: 'nginx' })), 'Always');
  t.is(pullPolicy(aContainer('a', { image: 'nginx:1' })), 'IfNotPresent');
  t.is(pullPolicy(aContainer('a', { image: 'nginx', imagePullPolicy: 'Never' })), 'Never');
});

test('limits and requests become cgroup values and a QoS class', (t) => {
  const container = aContainer('a', { resources: { limits: { cpu: '500m', memory: '64Mi' } } });
  t.deepEqual(cgroupResources(container), { cpuShares: 512, cpuPeriodUs: 100_000, cpuQuotaUs: 50_000, memoryBytes: 67_108_864 });
  t.is(qosClass(aPod({ containers: [container] })), 'Guaranteed');
  t.is(qosClass(aPod()), 'BestEffort');
  t.is(qosClass(aPod({ containers: [container, aContainer('b')] })), 'Burstable');
});

test('a pod with dnsPolicy ClusterFirst asks the cluster, with its namespace\'s search path', (t) => {
  const settings = { node: parseResolvConf('nameserver 1.1.1.1\nsearch corp.example\n'), clusterDns: ['10.96.0.10'], clusterDomain: 'cluster.local' };
  t.is(resolvConfText(podResolver(aPod(), settings)), 'search default.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n');
  t.is(resolvConfText(podResolver(aPod({ dnsPolicy: 'Default' }), settings)), 'search corp.example\nnameserver 1.1.1.1\n');
  t.is(resolvConfText(podResolver(aPod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'], options: [{ name: 'ndots', value: '2' }] } }), settings)), 'nameserver 9.9.9.9\noptions ndots:2\n');
});

test('/etc/hosts has the pod\'s addresses with its qualified name, and its aliases', (t) => {
  const text = hostsText(aPod({ subdomain: 'db', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] }), 'web', ['10.244.1.5'], 'cluster.local');
  t.true(text.endsWith('10.244.1.5\tweb.db.default.svc.cluster.local\tweb\n1.2.3.4\ta\tb\n'));
});

test('a projected volume joins its sources; a key that is missing is named', (t) => {
  const volume = { name: 'v', projected: { sources: [{ configMap: { name: 'cm', items: [{ key: 'a', path: 'x/a' }] } }, { serviceAccountToken: { path: 'token' } }, { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } }] } };
  const inputs = { configMaps: new Map([['cm', { data: { a: '1' } }]]), secrets: new Map(), tokens: new Map([['token', 'jwt']]), node };
  t.deepEqual([...volumeFiles(aPod(), volume, inputs)].map(([name, file]) => `${name}=${file.data.toString()}`), ['x/a=1', 'token=jwt', 'name=web']);
  t.throws(() => volumeFiles(aPod(), { name: 'v', configMap: { name: 'cm', items: [{ key: 'b', path: 'b' }] } }, inputs), { message: 'configmap "cm" has no key "b"' });
});
