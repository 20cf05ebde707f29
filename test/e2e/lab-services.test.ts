// The promise of the data plane, seen from outside: Services are data. And the three paths that a Service must serve.
import test from 'ava';
import { eventually } from '../helpers/poll.ts';
import { succeed } from '../helpers/run.ts';
import { cannotRunLab, TestLab } from './lab.ts';

const lab = new TestLab();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab !== undefined) return;
  await lab.up();
  await lab.kubectl(['apply', '-f', 'lab/examples/demo.yaml', '-f', 'lab/examples/udp.yaml']);
  await lab.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  await lab.kubectl(['rollout', 'status', 'deployment/echo', '--timeout=60s']);
});
test.after.always(async () => {
  await lab.remove();
});

const nodes = ['node1', 'node2', 'node3'];
const clusterIP = (service: string): Promise<string> => lab.kubectl(['get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}']);
const podOn = (node: string, app: string): Promise<string> => lab.kubectl(['get', 'pods', '-l', `app=${app}`, '--field-selector', `spec.nodeName=${node}`, '-o', 'jsonpath={.items[0].metadata.name}']);

for (const node of nodes) {
  e2e(`from a pod on ${node}, all three endpoints of a Service answer over TCP`, async (t) => {
    const address = await clusterIP('web');
    const pod = await podOn(node, 'web');
    const seen = new Set<string>();
    await eventually('three names', async () => {
      const answers = await lab.exec(pod, ['sh', '-c', `for i in 1 2 3 4 5 6; do wget -qO- http://${address}/hostname; done`]);
      for (const line of answers.trim().split('\n')) seen.add(line);
      return seen.size === 3;
    });
    t.true([...seen].every((name) => name.startsWith('web-')));
  });

  e2e(`from a pod on ${node}, all three endpoints of a Service answer over UDP`, async (t) => {
    const address = await clusterIP('echo');
    const pod = await podOn(node, 'echo');
    const seen = new Set<string>();
    await eventually('three names', async () => {
      const answers = await lab.exec(pod, ['/bin/node', '/probe.cjs', 'udp', `${address}:7000`, '--count', '6']);
      for (const line of answers.trim().split('\n')) seen.add((JSON.parse(line) as { readonly answer: { readonly pod: string } }).answer.pod);
      return seen.size === 3;
    });
    t.true([...seen].every((name) => name.startsWith('echo-')));
  });

  e2e(`the node port of a Service answers from the machine through ${node}`, async (t) => {
    const address = await lab.kubectl(['get', 'node', node, '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}']);
    t.regex(await succeed(['/usr/bin/curl', '-sS', '--max-time', '5', `http://${address}:30080/hostname`]), /^web-/u);
  });
}

e2e('the Service follows when a pod is deleted', async (t) => {
  const victim = await podOn('node2', 'web');
  await lab.kubectl(['delete', 'pod', victim]);
  await lab.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  const address = await clusterIP('web');
  const client = await podOn('node1', 'web');
  const seen = new Set<string>();
  await eventually('three names, the new one among them', async () => {
    const answers = await lab.exec(client, ['sh', '-c', `for i in 1 2 3 4 5 6; do wget -qO- http://${address}/hostname; done`]);
    for (const line of answers.trim().split('\n')) seen.add(line);
    return seen.size === 3;
  });
  t.false(seen.has(victim));
});

e2e('status names the Service and the backend of a live connection', async (t) => {
  const address = await clusterIP('web');
  const client = await podOn('node1', 'web');
  // A connection that stays open: the server waits for the rest of the request. It ends with its pod at the latest.
  void lab.exec(client, ['sh', '-c', `(printf 'GET / HTTP/1.1\\r\\nHost: web\\r\\n'; sleep 30) | nc ${address} 80`]).catch(() => '');
  interface Named { readonly client: string; readonly service: string; readonly backend: string }
  const found = await eventually('the connection', async () => {
    const { connections } = JSON.parse((await lab.podwire('status', ['-o', 'json'])).stdout) as { readonly connections: readonly Named[] };
    return connections.find((one) => one.client.startsWith(`default/${client}:`) && one.service === 'default/web:80');
  });
  t.regex(found.backend, /^default\/web-[a-z0-9-]+:\d+$/u);
  t.regex((await lab.podwire('status')).stdout, /THROUGH SERVICE/u);
});

e2e("proxy show finds intent and kernel equal on every node, and names the difference when a row is taken away", async (t) => {
  const equal = await lab.podwire('proxy', ['show', 'web']);
  t.is(equal.code, 0, equal.stderr);
  t.is(equal.stdout.split('the kernel holds what is intended').length - 1, 3);
  const row = `{ ${await clusterIP('web')} . tcp . 80 }`;
  // The proxy puts a foreign change right at once: it must not see this one yet.
  const agent = lab.pid('agent-node2');
  process.kill(agent, 'SIGSTOP');
  try {
    await lab.node('node2', ['nft', 'delete', 'element', 'ip', 'podwire', 'service', row]);
    const differs = await lab.podwire('proxy', ['show', 'web', '--node', 'node2']);
    t.is(differs.code, 1);
    t.regex(differs.stdout, /THE KERNEL DIFFERS/u);
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await eventually('the row again', async () => (await lab.podwire('proxy', ['show', 'web'])).code === 0);
});

e2e('proxy explain says where a packet would go and why', async (t) => {
  const pod = await lab.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].status.podIP}']);
  const { code, stdout } = await lab.podwire('proxy', ['explain', `${pod} -> ${await clusterIP('web')}:80/tcp`]);
  t.is(code, 0);
  t.regex(stdout, /^on node\d: .* goes to (10\.244\.\d+\.\d+:80 \(33 %[^)]*\)(, )?){3}/u);
  t.is((await lab.podwire('proxy', ['explain', 'what', 'now'])).code, 2);
});

e2e('500 Services of the same endpoint counts have no chain and no rule more than one', async (t) => {
  const shape = async (): Promise<{ readonly chains: number; readonly rules: number; readonly rows: number }> => {
    const text = await lab.node('node1', ['nft', '-j', 'list', 'table', 'ip', 'podwire']);
    const objects = (JSON.parse(text) as { readonly nftables: readonly Readonly<Record<string, { readonly name?: string; readonly elem?: readonly unknown[] }>>[] }).nftables;
    return {
      chains: objects.filter((object) => 'chain' in object).length,
      rules: objects.filter((object) => 'rule' in object).length,
      rows: objects.find((object) => object['map']?.name === 'service')?.['map']?.elem?.length ?? 0,
    };
  };
  const before = await shape();
  const services = Array.from({ length: 500 }, (_, at) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: `many-${at}` }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] } }));
  await lab.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services }));
  const after = await eventually('500 rows more', async () => {
    const now = await shape();
    return now.rows >= before.rows + 500 && now;
  }, { timeoutMs: 60_000, intervalMs: 300 });
  // Fewer there may be: the chain of an endpoint count that an earlier test left goes in the periodic look, which may fall in between.
  t.true(after.chains <= before.chains, `${after.chains} chains, ${before.chains} before`);
  t.true(after.rules <= before.rules, `${after.rules} rules, ${before.rules} before`);
  const last = await clusterIP('many-499');
  t.regex(await lab.exec(await podOn('node3', 'web'), ['wget', '-qO-', `http://${last}/hostname`]), /^web-/u);
});
