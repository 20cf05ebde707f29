import { basename } from 'node:path';
import test from 'ava';
import { finish, succeed } from '../helpers/run.ts';
import { otherKubectls, ServerUnderTest } from './apiserver.ts';

// Old and new kubectl ask in different ways (OpenAPI v2 or v3, JSON or protobuf, v2beta1 or v2 discovery): all must work.
let cluster: ServerUnderTest;
test.before(async () => { cluster = await ServerUnderTest.start(); });
test.after.always(() => cluster.stop());

const manifest = (name: string, field: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  ${field}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
`;

const versions = otherKubectls();
const someVersions = versions.length === 0 ? test.skip : test;
someVersions('other versions of kubectl are tried too (skipped: none on this machine)', (t) => t.not(versions.length, 0));
for (const kubectl of versions) {
  const version = basename(kubectl);
  test.serial(`${version} applies, changes, scales, explains and is told about a misspelt field`, async (t) => {
    const name = version.replaceAll('.', '-');
    const env = cluster.env(`cache-${version}`);
    const run = (args: readonly string[], input = ''): Promise<string> => succeed([kubectl, ...args], { env, input });
    t.regex(await run(['apply', '-f', '-'], manifest(name, 'replicas: 1')), /created/);
    t.regex(await run(['apply', '-f', '-'], manifest(name, 'replicas: 2')), /configured/);
    t.regex(await run(['create', 'configmap', name, '--from-literal=a=b']), /created/);
    t.regex(await run(['scale', 'deployment', name, '--replicas=3']), /scaled/);
    t.regex(await run(['get', 'deployment', name]), /NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE/);
    t.regex(await run(['explain', 'deployment.spec.replicas']), /integer/);
    const { code, stderr } = await finish([kubectl, 'apply', '-f', '-'], { env, input: manifest(name, 'replcas: 1') });
    t.is(code, 1);
    t.regex(stderr, /unknown field "(spec\.)?replcas"|replcas/);
  });
}
