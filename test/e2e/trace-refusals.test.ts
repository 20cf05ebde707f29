// Why dropped, by what the cluster's objects say: Services without endpoints, policies, source ranges, and pods that are not there.
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Pod, Service } from '@podwire/kube-client';
import { resources } from '@podwire/kube-client';
import { PROBE_IMAGE } from '../../lab/probe/image.ts';
import { applyFault, undoFaults } from '../../lab/faults/index.ts';
import { eventually } from '../helpers/poll.ts';
import type { RunOptions } from '../helpers/run.ts';
import { cannotRunLab } from './lab.ts';
import { NAMESPACE, pod, service, TraceScene } from './trace-scene.ts';

const scene = new TraceScene();
const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (cannotRunLab === undefined) await scene.up();
});
test.after.always(() => scene.lab.remove());

const serviceObject = (name: string, selector: Record<string, string>, spec: Service['spec'] = {}): Service => ({
  apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: NAMESPACE },
  spec: { selector, ports: [{ name: 'tcp', protocol: 'TCP', port: 8080 }, { name: 'udp', protocol: 'UDP', port: 8080 }], ...spec },
});
const podObject = (name: string, labels: Record<string, string>, node: string): Pod => ({
  apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE, labels },
  spec: { nodeName: node, terminationGracePeriodSeconds: 0, containers: [{ name: 'probe', image: PROBE_IMAGE, imagePullPolicy: 'IfNotPresent', env: [{ name: 'PROBE_LINGER', value: '0' }] }] },
});
const nodeAddress = (node: string): Promise<string> => scene.get(async (client) => (await client.get(resources.nodes, { name: node })).status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '');

for (const protocol of ['tcp', 'udp'] as const) {
  e2e(`no endpoints over ${protocol}: refused at the sender's node`, async (t) => {
    const trace = await scene.trace(pod(1), service('none'), { protocol });
    t.like(trace, { verdict: 'REJECTED', where: 'node1/no-endpoints', agrees: true });
    t.regex(trace.reason, /no endpoints/);
    t.regex(trace.remedy, /endpointslices/);
  });

  e2e(`nothing listens on that port of the pod over ${protocol}: refused by the pod itself`, async (t) => {
    const trace = await scene.trace(pod(1), `${pod(2)}:9999`, { protocol });
    t.is(trace.verdict, 'REJECTED');
    t.is(trace.where, `${pod(2)} on node2`);
    t.regex(trace.reason, /nothing listens/);
    t.regex(trace.remedy, /targetPort/);
  });
}

e2e('a source outside loadBalancerSourceRanges: dropped by the guard, delivered when the range has it', async (t) => {
  await scene.create([serviceObject('fenced', { app: 'probe' }, { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24'] })]);
  const address = await eventually('an address', async () => scene.get(async (client) => (await client.get(resources.services, { namespace: NAMESPACE, name: 'fenced' })).status?.loadBalancer?.ingress?.[0]?.ip));
  const trace = await eventually('the guard', async () => {
    const seen = await scene.trace('outside', `${address}:8080`);
    return seen.where.includes('/guard') && seen;
  });
  t.is(trace.verdict, 'DROPPED');
  t.regex(trace.where, /^node\d\/guard/);
  t.regex(trace.reason, /loadBalancerSourceRanges/);
  t.regex(trace.remedy, /spec\.loadBalancerSourceRanges/);
  t.true(trace.agrees, trace.predicted.text);
  await scene.create([serviceObject('fenced', { app: 'probe' }, { type: 'LoadBalancer', loadBalancerSourceRanges: ['0.0.0.0/0'] })]);
  t.true((await scene.delivered('outside', `${address}:8080`)).agrees);
});

e2e('policy Local at a node without an endpoint: dropped there, delivered at the node that has one', async (t) => {
  const nodePort = await scene.get(async (client) => (await client.get(resources.services, { namespace: NAMESPACE, name: 'local' })).spec?.ports?.[0]?.nodePort ?? 0);
  const trace = await scene.trace('outside', `${await nodeAddress('node2')}:${nodePort}`);
  t.is(trace.verdict, 'DROPPED');
  t.regex(trace.where, /^node2\//);
  t.regex(trace.reason, /policy Local.*endpoint on this node/);
  t.regex(trace.remedy, /policy to Cluster/);
  t.true(trace.agrees);
  const delivered = await scene.delivered('outside', `${await nodeAddress('node1')}:${nodePort}`);
  t.regex(delivered.where, /probe-node1-[ab] on node1/);
  t.true(delivered.agrees);
});

e2e('internal policy Local on a node without an endpoint: dropped at the sender', async (t) => {
  await scene.create([serviceObject('inner', { app: 'probe', 'probe.podwire.io/node': 'node2' }, { internalTrafficPolicy: 'Local' })]);
  t.regex((await scene.delivered(pod(2), service('inner'))).where, /node2$/);
  const trace = await scene.trace(pod(1), service('inner'));
  t.is(trace.verdict, 'DROPPED');
  t.regex(trace.where, /^node1\//);
  t.regex(trace.reason, /policy Local/);
  t.true(trace.agrees);
});

e2e('a pod that is gone: the node of its address says so', async (t) => {
  await scene.create([podObject('short-lived', {}, 'node2')]);
  const name = `${NAMESPACE}/short-lived`;
  await scene.lab.kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod/short-lived', '--timeout=60s']);
  const address = await scene.podIP(name);
  await scene.delivered(pod(1), `${address}:8080`);
  await scene.lab.kubectl(['-n', NAMESPACE, 'delete', 'pod', 'short-lived']);
  const trace = await scene.trace(pod(1), `${address}:8080`);
  t.is(trace.verdict, 'DROPPED');
  t.is(trace.where, 'node2/pw-cni0');
  t.regex(trace.reason, /no pod has the address/);
  t.regex(trace.remedy, /kubectl get pods/);
});

e2e('a UDP flow that outlives its endpoint: stale conntrack while the agent stands still, right once it runs', async (t) => {
  const flow = { protocol: 'udp', sourcePort: 40_123 } as const;
  await scene.create([serviceObject('fleeting', { fleeting: 'yes' }), podObject('fleeting-1', { fleeting: 'yes' }, 'node2')]);
  await scene.delivered(pod(1), service('fleeting'), flow);
  try {
    await applyFault(scene.handle, 'stale-conntrack', { node: 'node1' });
    await scene.lab.kubectl(['-n', NAMESPACE, 'delete', 'pod', 'fleeting-1']);
    await scene.create([podObject('fleeting-2', { fleeting: 'yes' }, 'node3')]);
    await scene.lab.kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod/fleeting-2', '--timeout=60s']);
    const trace = await scene.trace(pod(1), service('fleeting'), flow);
    t.is(trace.verdict, 'DROPPED');
    t.is(trace.where, 'node1/conntrack');
    t.regex(trace.reason, /stale UDP conntrack/);
    t.regex(trace.remedy, /conntrack -D/);
    t.regex(trace.notes.join('\n'), /the rules of node1 lead to .*, which Service podwire-matrix\/fleeting does not have as an endpoint/);
    t.false(trace.agrees);
  } finally {
    await undoFaults(scene.handle, { name: 'all' });
  }
  t.regex((await scene.delivered(pod(1), service('fleeting'), flow)).where, /fleeting-2 on node3/);
});

e2e('exit codes: 0 delivered or done, 1 a packet that did not arrive, 2 what cannot be done, with a remedy', async (t) => {
  const to = service('on-node2').replace('svc/', '');
  const nowhere = { env: { ...process.env, PODWIRE_STATE_DIR: '/nonexistent' } };
  const saved = fileURLToPath(new URL('../../lab/trace/fixtures/no-endpoints.json', import.meta.url));
  for (const [command, args, code, said, options] of [
    ['trace', [pod(1), `svc/${to}`], 0, /^DELIVERED/], ['trace', [pod(1), service('none')], 1, /^REJECTED/], ['trace', ['nobody', `svc/${to}`], 2, /no pod 'nobody'; there are:/],
    ['trace', [pod(1), 'svc/nobody'], 2, /no Service 'nobody'; there are:/], ['trace', [pod(1), '10.0.0.1:99999'], 2, /port '99999' is not a number/], ['trace', [pod(1), `svc/${to}`, '--ipv6'], 2, /has no IPv6 cluster IP/],
    ['trace', [], 2, /say from where to where/], ['trace', ['outside', '192.0.2.1:80'], 2, /outside cannot reach/], ['trace', ['--replay', saved], 1, /^REJECTED/, nowhere], ['trace', ['--replay', '/nonexistent'], 2, /cannot be read/, nowhere],
    ['trace', [pod(1), `svc/${to}`], 2, /there is no lab in/, nowhere], ['status', [], 2, /there is no lab in/, nowhere], ['status', [], 0, /healthy/], ['kubeconfig', [], 2, /there is no lab in/, nowhere], ['kubeconfig', [], 0, /kubeconfig/],
    ['node', ['node1', '--', 'true'], 0, /^$/], ['node', ['node1', '--', 'false'], 1, /^$/], ['node', ['node9', '--', 'true'], 2, /node9/], ['proxy', ['show', 'nobody'], 2, /no Service 'default\/nobody'; there are: default\/kubernetes/], ['proxy', ['show', 'kubernetes', '--node', 'node9'], 2, /node9/], ['proxy', ['show', 'kubernetes'], 0, /node3/],
    ['proxy', ['explain', '10.244.1.2 -> 10.96.0.1:443/tcp', '--node', 'node9'], 2, /node9/], ['matrix', [], 2, /there is no lab in/, nowhere],
    ['walkthrough', ['mtu'], 2, /there is no lab in/, nowhere], ['fault', ['mtu'], 2, /there is no lab in/, nowhere],
  ] as readonly (readonly [string, readonly string[], number, RegExp, RunOptions?])[]) {
    const { code: got, stdout, stderr } = await scene.lab.podwire(command, args, options ?? {});
    t.is(got, code, `${command} ${args.join(' ')}: ${stdout}${stderr}`);
    t.regex(stdout + stderr, said, `${command} ${args.join(' ')}`);
  }
});
