// The same work with every kubectl that is on this machine: versions differ in encodings, discovery and validation requests.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { ExecutionContext, TestFn } from 'ava';
import { finish, succeed } from '../helpers/run.ts';
import { findKubectl, ServerUnderTest } from './apiserver.ts';

/** kubectl itself, and `kubectl.1.NN` beside it or on the path, as the cloud SDK installs them. */
export function kubectls(): Map<string, string> {
  const plain = findKubectl();
  const besides = plain === undefined ? [] : [dirname(realpathSync(plain))];
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...besides].filter((folder) => folder !== '' && existsSync(folder));
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const file of readdirSync(folder)) {
      const version = /^kubectl\.(1\.\d+)$/.exec(file)?.[1];
      if (version !== undefined && !found.has(version)) found.set(version, join(folder, file));
    }
  }
  if (plain !== undefined && found.size === 0) found.set('installed', plain);
  return found;
}

const manifest = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: applied}
spec:
  selector: {matchLabels: {app: applied}}
  template:
    metadata: {labels: {app: applied}}
    spec: {containers: [{name: c, image: "${image}", ports: [{containerPort: 80}]}]}
`;

/** Declares the test of everyday work for each of these kubectls, against one API server. */
export function testEverydayWork(test: TestFn, binaries: ReadonlyMap<string, string>): void {
  let cluster: ServerUnderTest;
  test.before(async () => {
    cluster = await ServerUnderTest.start();
  });
  test.after.always(() => cluster.stop());
  const declared = binaries.size === 0 ? test.skip : test;
  declared('several versions of kubectl are tried (skipped: none on this machine)', (t) => t.not(binaries.size, 0));
  for (const [version, binary] of binaries) {
    test(`kubectl ${version}: creates, applies, reads, patches, scales, explains, deletes`, (t) => everydayWork(t, cluster, version, binary));
  }
}

async function everydayWork(t: ExecutionContext, cluster: ServerUnderTest, version: string, binary: string): Promise<void> {
  const namespace = `v${version.replace('.', '-')}`;
  const env = { PATH: process.env['PATH'], HOME: cluster.directory, KUBECONFIG: cluster.server.kubeconfig, KUBECACHEDIR: join(cluster.directory, `cache-${version}`) };
  const kubectl = (args: readonly string[], input?: string): Promise<string> => succeed([binary, '-n', namespace, ...args], { env, ...(input !== undefined && { input }) });

  await kubectl(['create', 'namespace', namespace]);
  await kubectl(['create', 'deployment', 'web', '--image=nginx:1', '--replicas=3', '--port=80']);
  await kubectl(['create', 'configmap', 'c', '--from-literal=a=b']);
  await kubectl(['create', 'secret', 'generic', 's', '--from-literal=p=q']);
  await kubectl(['expose', 'deployment', 'web', '--port=80', '--type=NodePort']);
  t.regex(await kubectl(['apply', '-f', '-'], manifest('nginx:1')), /created/);
  t.regex(await kubectl(['apply', '-f', '-'], manifest('nginx:1')), /unchanged/);
  t.regex((await finish([binary, '-n', namespace, 'diff', '-f', '-'], { env, input: manifest('nginx:2') })).stdout, /\+\s+- image: nginx:2/);
  t.regex(await kubectl(['apply', '-f', '-'], manifest('nginx:2')), /configured/);
  await kubectl(['set', 'image', 'deployment/web', 'nginx=nginx:3']);
  await kubectl(['scale', 'deployment/web', '--replicas=5']);
  await kubectl(['label', 'configmap', 'c', 'x=y']);
  t.is(await kubectl(['get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}']), '5 nginx:3');
  t.regex(await kubectl(['get', 'deployments', '-o', 'wide']), /NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\n/);
  t.regex(await kubectl(['get', 'services']), /web +NodePort +10\.96\.\d+\.\d+ +<none> +80:3\d{4}\/TCP/);
  t.regex(await kubectl(['explain', 'deployment.spec.replicas']), /replicas/);
  t.regex(await kubectl(['describe', 'service', 'web']), /NodePort: +<unset> +3\d{4}\/TCP/);
  const misspelt = await finish([binary, '-n', namespace, 'apply', '-f', '-'], { env, input: manifest('x').replace('ports:', 'prots:') });
  t.is(misspelt.code, 1);
  t.regex(misspelt.stderr, /unknown field "spec\.template\.spec\.containers\[0\]\.prots"/);
  await kubectl(['delete', 'service,deployment,configmap,secret', '--all', '--wait=false']);
  t.is(await kubectl(['get', 'services', '-o', 'name']), '');
}
