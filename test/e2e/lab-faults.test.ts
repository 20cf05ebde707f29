// `kill -9` of each part in turn, then `podwire up`: the cluster heals, no pod starts twice, and a connection through a Service lives on.
import test from 'ava';
import { eventually } from '../helpers/poll.ts';
import { succeed } from '../helpers/run.ts';
import { cannotRunLab, TestLab } from './lab.ts';

const lab = new TestLab();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab !== undefined) return;
  await lab.up();
  await lab.kubectl(['create', 'deployment', 'steady', '--image=podwire/nginx:1.22', '--replicas=3', '--port=80']);
  await lab.kubectl(['expose', 'deployment', 'steady', '--port=80']);
  await lab.kubectl(['run', 'client', '--image=podwire/busybox:1', '--', 'sleep', '100000']);
  await lab.kubectl(['rollout', 'status', 'deployment/steady', '--timeout=60s']);
  await lab.kubectl(['wait', '--for=condition=Ready', 'pod/client', '--timeout=60s']);
});
test.after.always(async () => {
  await lab.remove();
});

/** Container ids, restarts and addresses of all pods: equal before and after means that nothing was started again. */
const running = (): Promise<string> => lab.kubectl(['get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.podIP} {.status.containerStatuses[*].containerID} {.status.containerStatuses[*].restartCount}{"\\n"}{end}']);

/** An HTTP connection through the Service that stays open: each request on it must be answered on it. */
async function openConnection(): Promise<{ readonly ask: () => Promise<void>; readonly close: () => Promise<void> }> {
  const address = await lab.kubectl(['get', 'service', 'steady', '-o', 'jsonpath={.spec.clusterIP}']);
  // Held inside the pod: kubectl's own stream ends with the API server, the pod's connection must not.
  await lab.exec('client', ['sh', '-c', `rm -f /tmp/in /tmp/out; busybox mkfifo /tmp/in; (tail -f /dev/null > /tmp/in & nc ${address} 80 < /tmp/in > /tmp/out 2>&1 &) > /dev/null 2>&1`]);
  let asked = 0;
  return {
    ask: async () => {
      asked += 1;
      await lab.exec('client', ['sh', '-c', "printf 'GET /hostname HTTP/1.1\\r\\nHost: steady\\r\\n\\r\\n' > /tmp/in"]);
      await eventually(`answer ${asked} on the open connection`, async () => (await lab.exec('client', ['cat', '/tmp/out'])).split('HTTP/1.1 200 OK').length - 1 === asked);
    },
    close: async () => { await lab.exec('client', ['busybox', 'killall', 'nc', 'tail']); },
  };
}

const parts = ['apiserver', 'agent-node1', 'agent-node2', 'agent-node3', 'dockerd', 'containerd'] as const;

for (const [name, victims] of [...parts.map((part) => [part, [part]] as const), ['all of them', parts] as const]) {
  e2e(`after kill -9 of ${name}, up heals the cluster, starts nothing twice and breaks no connection`, async (t) => {
    const before = await running();
    const connection = await openConnection();
    await connection.ask();
    for (const victim of victims) process.kill(lab.pid(victim), 'SIGKILL');
    await lab.up();
    await connection.ask();
    await lab.kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s']);
    t.is(await running(), before);
    await connection.close();
    // And it still can do something new.
    await lab.kubectl(['scale', 'deployment/steady', '--replicas=4']);
    await lab.kubectl(['rollout', 'status', 'deployment/steady', '--timeout=60s']);
    await lab.kubectl(['scale', 'deployment/steady', '--replicas=3']);
    await eventually('three pods', async () => (await lab.kubectl(['get', 'pods', '-l', 'app=steady', '-o', 'name'])).trim().split('\n').length === 3);
  });
}

e2e('a second up changes nothing', async (t) => {
  const before = await running();
  const pids = parts.map((service) => lab.pid(service));
  const said = await lab.up();
  t.regex(said, /Nodes: 3, 0 started/u);
  t.deepEqual(parts.map((service) => lab.pid(service)), pids);
  t.is(await running(), before);
});

e2e("up lays the machine's cable again", async (t) => {
  await succeed(['/usr/sbin/ip', 'link', 'del', lab.names.machineDevice]);
  await lab.up();
  t.regex(await lab.kubectl(['get', '--raw', '/readyz']), /^ok/u);
  await lab.kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s']);
});

e2e('a node that died is built anew: its pods start again, with network', async (t) => {
  const old = await running();
  const engine = `${lab.names.runDir}/docker.sock`;
  await succeed(['/usr/bin/curl', '-sS', '--fail', '-X', 'POST', '--unix-socket', engine, `http://engine/containers/pw-${lab.names.id}-node2/kill`]);
  t.regex(await lab.up(), /node2 had died; it is built anew/u);
  await eventually('new containers on node2 and no others', async () => {
    const now = (await running()).split('\n');
    return now.filter((line) => !old.includes(line)).length >= 1 && now.every((line) => line === '' || line.includes('docker://'));
  }, { timeoutMs: 60_000 });
  await lab.kubectl(['wait', '--for=condition=Ready', 'pods', '--all', '--timeout=60s']);
  const addresses = (await lab.kubectl(['get', 'pods', '-l', 'app=steady', '-o', 'jsonpath={.items[*].status.podIP}'])).split(' ');
  for (const node of ['node1', 'node2', 'node3']) {
    for (const address of addresses) {
      await eventually(`${node} reaches ${address}`, async () => (await lab.node(node, ['curl', '-sS', '--max-time', '3', `http://${address}/hostname`])).startsWith('steady-'));
    }
  }
  t.is(addresses.length, 3);
});
