// What a newcomer does with the real kubectl, on a lab of three nodes.
import { join } from 'node:path';
import test from 'ava';
import { eventually } from '../helpers/poll.ts';
import { succeed } from '../helpers/run.ts';
import { cannotRunLab, findKubectl, root, TestLab } from './lab.ts';

const lab = new TestLab();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;
const examples = join(root, 'lab/examples');

test.before(async () => {
  if (cannotRunLab === undefined) await lab.up();
});
test.after.always(async () => {
  await lab.remove();
});

const names = async (args: readonly string[]): Promise<string[]> => (await lab.kubectl(['get', ...args, '-o', 'name'])).split('\n').filter((line) => line !== '');
const field = (resource: string, path: string): Promise<string> => lab.kubectl(['get', resource, '-o', `jsonpath={${path}}`]);

e2e('three nodes are Ready', async (t) => {
  await lab.kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=30s']);
  t.deepEqual(await names(['nodes']), ['node/node1', 'node/node2', 'node/node3']);
  t.regex(await lab.kubectl(['get', 'nodes', '-o', 'wide']), /node2\s+Ready\s.*v1\.\d+/u);
});

e2e("the tutorial's Pod runs, answers, logs and can be looked into", async (t) => {
  await lab.kubectl(['apply', '-f', join(examples, 'pod.yaml')]);
  await lab.kubectl(['wait', '--for=condition=Ready', 'pod/nginx', '--timeout=60s']);
  const address = await field('pod/nginx', '.status.podIP');
  t.regex(await lab.node('node1', ['curl', '-sS', '--max-time', '5', `http://${address}/`]), /Welcome to nginx!/u);
  t.regex(await lab.kubectl(['logs', 'nginx']), /GET \/ HTTP/u);
  t.is((await lab.kubectl(['exec', 'nginx', '--', 'hostname'])).trim(), 'nginx');
  t.is((await lab.kubectl(['exec', '-i', 'nginx', '--', 'cat'], 'through the pipe\n')).trim(), 'through the pipe');
  t.is((await lab.tryKubectl(['exec', 'nginx', '--', 'sh', '-c', 'exit 7'])).code, 7);
  t.regex(await lab.kubectl(['describe', 'pod', 'nginx']), /Started container nginx/u);
});

e2e('logs -f shows a request as it comes', async (t) => {
  const follower = lab.backgroundKubectl(['logs', '-f', 'nginx']);
  try {
    await eventually('the log so far', () => follower.output().includes('GET / HTTP'));
    const address = await field('pod/nginx', '.status.podIP');
    await lab.node('node2', ['curl', '-sS', '--max-time', '5', `http://${address}/hostname?followed`]);
    await eventually('the new line', () => follower.output().includes('/hostname?followed'));
    t.pass();
  } finally {
    await follower.stop();
  }
});

e2e('exec -it gives a terminal', async (t) => {
  // script(1) gives kubectl the terminal that it wants.
  const typed = await succeed(['/usr/bin/script', '-qec', `${findKubectl()} --kubeconfig ${lab.names.kubeconfig} exec -it nginx -- sh -c 'tty; stty size'`, '/dev/null'], { env: { ...process.env, TERM: 'dumb' } });
  t.regex(typed, /\/dev\/pts\/\d/u);
});

e2e('port-forward carries HTTP to the pod', async (t) => {
  const forward = lab.backgroundKubectl(['port-forward', 'pod/nginx', ':80']);
  try {
    const port = await eventually('the forwarded port', () => /127\.0\.0\.1:(\d+) ->/u.exec(forward.output())?.[1]);
    t.regex(await succeed(['/usr/bin/curl', '-sS', '--max-time', '10', `http://127.0.0.1:${port}/`]), /Welcome to nginx!/u);
  } finally {
    await forward.stop();
  }
});

e2e("the tutorial's Deployment brings back a pod that is deleted", async (t) => {
  await lab.kubectl(['apply', '-f', join(examples, 'deployment.yaml')]);
  await lab.kubectl(['rollout', 'status', 'deployment/nginx-deployment', '--timeout=60s']);
  const [first] = await names(['pods', '-l', 'app=nginx']);
  await lab.kubectl(['delete', first!, '--wait=false']);
  await lab.kubectl(['wait', '--for=delete', first!, '--timeout=60s']);
  await lab.kubectl(['rollout', 'status', 'deployment/nginx-deployment', '--timeout=60s']);
  const [second] = await names(['pods', '-l', 'app=nginx']);
  t.truthy(second);
  t.not(second, first);
});

e2e('a deployment is created, exposed, scaled, updated, undone and labelled by command', async (t) => {
  await lab.kubectl(['create', 'deployment', 'shop', '--image=podwire/nginx:1.22', '--replicas=2', '--port=80']);
  await lab.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=60s']);
  await lab.kubectl(['expose', 'deployment', 'shop', '--port=80', '--type=NodePort']);
  const clusterIP = await field('service/shop', '.spec.clusterIP');
  const page = async (): Promise<string | false> => {
    const answer = await lab.tryKubectl(['exec', 'nginx', '--', 'timeout', '5', 'wget', '-qO-', `http://${clusterIP}/`]);
    return answer.code === 0 && answer.stdout;
  };
  t.regex(await eventually('the cluster IP answers', page), /edition 1/u);

  await lab.kubectl(['scale', 'deployment/shop', '--replicas=3']);
  await lab.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=60s']);
  const seen = new Set<string>();
  await eventually('all three pods answer', async () => {
    const answer = await lab.tryKubectl(['exec', 'nginx', '--', 'sh', '-c', `for i in 1 2 3 4 5 6 7 8 9; do timeout 5 wget -qO- http://${clusterIP}/hostname; done`]);
    for (const line of answer.stdout.split('\n')) if (line !== '') seen.add(line);
    return seen.size === 3;
  });

  await lab.kubectl(['set', 'image', 'deployment/shop', 'nginx=podwire/nginx:1.22-alt']);
  await lab.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=90s']);
  t.regex(await eventually('the new edition', async () => { const text = await page(); return text !== false && text.includes('edition 2') && text; }), /edition 2/u);
  await lab.kubectl(['rollout', 'undo', 'deployment/shop']);
  await lab.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=90s']);
  t.regex(await eventually('the old edition', async () => { const text = await page(); return text !== false && text.includes('edition 1') && text; }), /edition 1/u);

  await lab.kubectl(['label', 'deployment/shop', 'tier=front']);
  t.deepEqual(await names(['deployments', '-l', 'tier=front']), ['deployment.apps/shop']);

  const nodePort = await field('service/shop', '.spec.ports[0].nodePort');
  const nodeIP = await lab.kubectl(['get', 'node', 'node2', '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}']);
  t.regex(await succeed(['/usr/bin/curl', '-sS', '--max-time', '5', `http://${nodeIP}:${nodePort}/`]), /Welcome to nginx!/u);
  await lab.kubectl(['delete', 'deployment,service', 'shop']);
});

e2e('get pods -w shows a pod come', async (t) => {
  const watch = lab.backgroundKubectl(['get', 'pods', '-o', 'wide', '-w']);
  try {
    await eventually('the list', () => watch.output().includes('nginx'));
    await lab.kubectl(['run', 'watched', '--image=podwire/busybox:1', '--restart=Never', '--', 'sh', '-c', 'echo done']);
    await eventually('its end', () => /watched\s+0\/1\s+Completed/u.test(watch.output()));
    t.is((await lab.kubectl(['logs', 'watched'])).trim(), 'done');
  } finally {
    await watch.stop();
  }
  await lab.kubectl(['delete', 'pod', 'watched']);
});

e2e('an image that cannot be pulled shows as such, with the reason in describe', async (t) => {
  await lab.kubectl(['run', 'nowhere', '--image=registry.invalid/nothing:1', '--restart=Never']);
  await eventually('the back-off', async () => /ErrImagePull|ImagePullBackOff/u.test(await lab.kubectl(['get', 'pod', 'nowhere'])));
  t.regex(await eventually('the reason', async () => {
    const text = await lab.kubectl(['describe', 'pod', 'nowhere']);
    return text.includes('Failed to pull image') && text;
  }), /Failed to pull image "registry\.invalid\/nothing:1"/u);
  await lab.kubectl(['delete', 'pod', 'nowhere', '--grace-period=1']);
});

for (const [title, manifest, pattern] of [
  ['a misspelt field', 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: wrong\nspec:\n  containers:\n  - name: a\n    imagee: b\n', /unknown field "spec\.containers\[0\]\.imagee"/u],
  ['a mistyped field', 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: wrong\nspec:\n  replicas: many\n  selector:\n    matchLabels: {a: b}\n  template:\n    metadata:\n      labels: {a: b}\n    spec:\n      containers:\n      - name: a\n        image: b\n', /replicas/u],
  ['an unknown kind', 'apiVersion: v1\nkind: Podd\nmetadata:\n  name: wrong\n', /no matches for kind "Podd"/u],
] as const) {
  e2e(`${title} is refused by name`, async (t) => {
    const { code, stderr } = await lab.tryKubectl(['apply', '-f', '-'], manifest);
    t.not(code, 0);
    t.regex(stderr, pattern);
  });
}
