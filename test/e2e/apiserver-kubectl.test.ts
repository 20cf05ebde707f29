import anyTest from 'ava';
import type { TestFn } from 'ava';
import { eventually } from '../helpers/poll.ts';
import { findKubectl, ServerUnderTest } from './apiserver.ts';

const test = anyTest as TestFn<{ cluster: ServerUnderTest }>;
let cluster: ServerUnderTest;

test.before(async () => {
  cluster = await ServerUnderTest.start({ controllers: true });
});
test.after.always(() => cluster.stop());

const run = findKubectl() === undefined ? test.skip : test;

const deployment = (name: string, extra = '', replicas = '2'): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  ${extra}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
      - {name: c, image: "nginx:1"}
`;

run('the system namespaces and the kubernetes Service are there from the start', async (t) => {
  t.deepEqual((await cluster.kubectl(['get', 'namespaces', '-o', 'name'])).trim().split('\n').filter((name) => !name.includes('test-')), ['namespace/default', 'namespace/kube-node-lease', 'namespace/kube-public', 'namespace/kube-system']);
  t.is(await cluster.kubectl(['get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}']), '10.96.0.1:443');
});

run('apply creates, then leaves alone, then configures', async (t) => {
  t.regex(await cluster.kubectl(['apply', '-f', '-'], deployment('applied')), /created/);
  t.regex(await cluster.kubectl(['apply', '-f', '-'], deployment('applied')), /unchanged/);
  t.regex(await cluster.kubectl(['apply', '-f', '-'], deployment('applied', '', '3')), /configured/);
  t.is(await cluster.kubectl(['get', 'deployment', 'applied', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}']), '3 2');
});

run('a Deployment gets its pods, and a deleted pod comes back', async (t) => {
  await cluster.kubectl(['create', 'deployment', 'returning', '--image=nginx', '--replicas=2']);
  const pods = async (): Promise<string[]> => (await cluster.kubectl(['get', 'pods', '-l', 'app=returning', '-o', 'name'])).trim().split('\n').filter((line) => line !== '');
  const before = await eventually('two pods', async () => { const list = await pods(); return list.length === 2 && list; });
  await cluster.kubectl(['delete', before[0] ?? '']);
  const after = await eventually('two pods again', async () => { const list = await pods(); return list.length === 2 && list; });
  t.not(after.join(), before.join());
});

run('scale, set image, label, annotate, patch and rollout undo change what they say', async (t) => {
  await cluster.kubectl(['create', 'deployment', 'changing', '--image=nginx:1']);
  await cluster.kubectl(['scale', 'deployment', 'changing', '--replicas=4']);
  await cluster.kubectl(['label', 'deployment', 'changing', 'colour=blue']);
  await cluster.kubectl(['annotate', 'deployment', 'changing', 'why=test']);
  await eventually('first revision', async () => (await cluster.kubectl(['rollout', 'history', 'deployment/changing'])).includes('1 '));
  await cluster.kubectl(['set', 'image', 'deployment/changing', 'nginx=nginx:2']);
  await eventually('second revision', async () => (await cluster.kubectl(['rollout', 'history', 'deployment/changing'])).includes('2 '));
  await cluster.kubectl(['patch', 'deployment', 'changing', '-p', '{"spec":{"minReadySeconds":5}}']);
  await cluster.kubectl(['patch', 'deployment', 'changing', '--type=json', '-p', '[{"op":"add","path":"/metadata/labels/shape","value":"round"}]']);
  await cluster.kubectl(['rollout', 'undo', 'deployment/changing']);
  await cluster.kubectl(['patch', 'deployment', 'changing', '--type=merge', '-p', '{"metadata":{"annotations":{"why":null}}}']);
  t.is(await cluster.kubectl(['get', 'deployment', 'changing', '-o', 'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image} {.metadata.labels.colour} {.metadata.labels.shape} {.metadata.annotations.why} {.spec.minReadySeconds}']),
    '4 nginx:1 blue round  5');
});

run('get -w shows a row when an object comes, changes and goes', async (t) => {
  const watching = cluster.watchKubectl(['get', 'configmaps', '-w', '--field-selector', 'metadata.name=watched', '--output-watch-events']);
  t.teardown(watching.stop);
  await cluster.kubectl(['create', 'configmap', 'watched', '--from-literal=a=1']);
  await eventually('ADDED', () => /ADDED\s+watched\s+1/.test(watching.output()));
  await cluster.kubectl(['patch', 'configmap', 'watched', '-p', '{"data":{"b":"2"}}']);
  await eventually('MODIFIED', () => /MODIFIED\s+watched\s+2/.test(watching.output()));
  await cluster.kubectl(['delete', 'configmap', 'watched']);
  await eventually('DELETED', () => /DELETED\s+watched\s+2/.test(watching.output()));
  t.pass();
});

run('wait --for sees a change made by somebody else', async (t) => {
  await cluster.kubectl(['create', 'configmap', 'awaited']);
  const waiting = cluster.kubectl(['wait', '--for=jsonpath={.data.ready}=yes', 'configmap/awaited', '--timeout=20s']);
  await cluster.kubectl(['patch', 'configmap', 'awaited', '-p', '{"data":{"ready":"yes"}}']);
  t.regex(await waiting, /condition met/);
});

run('expose allocates a cluster IP in the range and a node port on request', async (t) => {
  await cluster.kubectl(['create', 'deployment', 'exposed', '--image=nginx']);
  await cluster.kubectl(['expose', 'deployment', 'exposed', '--port=80', '--type=NodePort']);
  const [ip = '', port = ''] = (await cluster.kubectl(['get', 'service', 'exposed', '-o', 'jsonpath={.spec.clusterIP} {.spec.ports[0].nodePort}'])).split(' ');
  t.true(ip.startsWith('10.96.'));
  t.true(Number(port) >= 30000 && Number(port) <= 32767);
  const taken = await cluster.tryKubectl(['create', 'service', 'clusterip', 'thief', `--clusterip=${ip}`, '--tcp=80']);
  t.is(taken.code, 1);
  t.regex(taken.stderr, /provided IP is already allocated/);
});

run('a namespace goes with everything in it', async (t) => {
  await cluster.kubectl(['create', 'namespace', 'test-gone']);
  await cluster.kubectl(['create', 'configmap', 'inside', '-n', 'test-gone']);
  await cluster.kubectl(['delete', 'namespace', 'test-gone', '--timeout=20s']);
  t.regex((await cluster.tryKubectl(['get', 'configmap', 'inside', '-n', 'test-gone'])).stderr, /not found/);
});

run('describe, explain, diff, api-resources and events work on what is there', async (t) => {
  await cluster.kubectl(['apply', '-f', '-'], deployment('described'));
  t.regex(await cluster.kubectl(['describe', 'deployment', 'described']), /StrategyType:\s+RollingUpdate/);
  t.regex(await cluster.kubectl(['explain', 'deployment.spec.replicas']), /FIELD: replicas <integer>/);
  t.regex(await cluster.kubectl(['api-resources']), /deployments\s+deploy\s+apps\/v1\s+true\s+Deployment/);
  const diff = await cluster.tryKubectl(['diff', '-f', '-'], deployment('described', '', '7'));
  t.is(diff.code, 1);
  t.regex(diff.stdout, /\+ {2}replicas: 7/);
});

run('server-side apply names the manager that owns a field, and takes it over when told to', async (t) => {
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], deployment('owned'));
  await cluster.kubectl(['scale', 'deployment', 'owned', '--replicas=5']);
  const refused = await cluster.tryKubectl(['apply', '--server-side', '-f', '-'], deployment('owned'));
  t.is(refused.code, 1);
  t.regex(refused.stderr, /Apply failed with 1 conflict: conflict with "kubectl[^"]*" with subresource "scale" using apps\/v1[^:]*:[^:]*:[^:]*: \.spec\.replicas/);
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], deployment('owned'));
  t.is(await cluster.kubectl(['get', 'deployment', 'owned', '-o', 'jsonpath={.spec.replicas}']), '2');
});

run('auth can-i, auth whoami and create token answer', async (t) => {
  t.is((await cluster.kubectl(['auth', 'can-i', 'create', 'pods'])).trim(), 'yes');
  t.regex(await cluster.kubectl(['auth', 'whoami']), /kubernetes-admin/);
  await cluster.kubectl(['create', 'serviceaccount', 'robot']);
  t.is((await cluster.kubectl(['create', 'token', 'robot'])).split('.').length, 3);
});

run('a CustomResourceDefinition makes a kind with columns, defaults, validation and scale', async (t) => {
  await cluster.kubectl(['apply', '-f', '-'], `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: boats, kind: Boat, shortNames: [bt]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.sails, statusReplicasPath: .status.sails}}
    additionalPrinterColumns: [{name: Sails, type: integer, jsonPath: .spec.sails}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [name], properties: {name: {type: string}, sails: {type: integer, default: 1, minimum: 0}}}
          status: {type: object, properties: {sails: {type: integer}}}
`);
  await cluster.kubectl(['wait', '--for=condition=established', 'crd/boats.example.com', '--timeout=10s']);
  const boat = (spec: string): string => `apiVersion: example.com/v1\nkind: Boat\nmetadata: {name: one}\nspec: {${spec}}\n`;
  await cluster.kubectl(['apply', '-f', '-'], boat('name: x'));
  t.regex(await cluster.kubectl(['get', 'bt']), /NAME\s+SAILS\none\s+1/);
  t.regex((await cluster.tryKubectl(['apply', '-f', '-'], boat('name: x, sials: 2'))).stderr, /unknown field "spec\.sials"/);
  t.regex((await cluster.tryKubectl(['apply', '-f', '-'], boat('name: x, sails: -2'))).stderr, /spec\.sails/);
  await cluster.kubectl(['scale', 'boat', 'one', '--replicas=3']);
  t.is(await cluster.kubectl(['get', 'boat', 'one', '-o', 'jsonpath={.spec.sails}']), '3');
  await cluster.kubectl(['delete', 'crd', 'boats.example.com']);
  t.is((await cluster.tryKubectl(['get', 'boats'])).code, 1);
});

const mistakes: readonly [title: string, args: readonly string[], input: string, message: RegExp][] = [
  ['a misspelt field is named with its path', ['apply', '-f', '-'], deployment('bad', 'replcas: 3'), /unknown field "spec\.replcas"/],
  ['a mistyped field is named with the wanted type', ['create', '-f', '-'], deployment('bad', '', 'two'), /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/],
  ['an unknown kind says so', ['apply', '-f', '-'], 'apiVersion: v1\nkind: Prod\nmetadata: {name: x}\n', /no matches for kind "Prod" in version "v1"/],
  ['a bad name says what a name is', ['create', 'configmap', 'Bad_Name'], '', /a lowercase RFC 1123 subdomain must consist of/],
  ['a missing namespace is named', ['create', 'configmap', 'x', '-n', 'nowhere'], '', /namespaces "nowhere" not found/],
  ['a missing object is named with its resource', ['get', 'deployment', 'nothing'], '', /deployments\.apps "nothing" not found/],
  ['every fault of an object is told at once', ['create', '--validate=false', '-f', '-'], deployment('bad', 'minReadySeconds: -5', '-1'), /spec\.replicas: Invalid value: -1[^]*spec\.minReadySeconds: Invalid value: -5/],
  ['a second object of the same name is refused', ['create', 'namespace', 'default'], '', /namespaces "default" already exists/],
];
for (const [title, args, input, message] of mistakes) {
  run(title, async (t) => {
    const { code, stderr } = await cluster.tryKubectl(args, input);
    t.is(code, 1);
    t.regex(stderr, message);
  });
}
