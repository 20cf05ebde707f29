// The agent is killed inside ADD, or between ADD and the container's start: the next agent leaves no second address, link, rule or sandbox.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { resources } from '@podwire/kube-client';
import type { KubeClient, Pod } from '@podwire/kube-client';
import { listLinks, openRoute, unshareNetns } from '@podwire/netlink';
import type { RunningApiServer } from '@podwire/apiserver-lite';
import { agentArguments } from '../../agent/config.ts';
import type { AgentConfig } from '../../agent/index.ts';
import { dockerRuntime } from '../../agent/runtime/docker.ts';
import type { RuntimeContainer } from '../../agent/runtime/runtime.ts';
import { run } from '../../cni/testing/test-bed.ts';
import { prepareAgentNode } from '../helpers/agent-node.ts';
import { cannotRunEngine, startTestEngine } from '../helpers/engine.ts';
import type { TestEngine } from '../helpers/engine.ts';
import { eventually } from '../helpers/poll.ts';

const nodeIP = '10.97.1.1';
let engine: TestEngine;
let server: RunningApiServer;
let client: KubeClient;
let config: AgentConfig;
let agent: ChildProcess | undefined;

const maybe = cannotRunEngine === undefined ? test.serial : test.serial.skip;
if (cannotRunEngine === undefined) {
  unshareNetns();
  test.before(async () => {
    engine = await startTestEngine();
    ({ server, client, config } = await prepareAgentNode(engine, nodeIP));
  });
  test.after.always(async () => {
    await ended('SIGTERM');
    client.close();
    await server.stop();
    await engine.remove();
  });
}

/** A process of its own: it is to be killed. It lives in this file's namespace, as its parent does. */
function start(fault: Readonly<Record<string, string>> = {}): void {
  agent = spawn(process.execPath, [join(import.meta.dirname, '../../agent/main.ts'), ...agentArguments(config)], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...fault } });
}

/** Resolves with the signal that ended it. */
async function ended(kill?: NodeJS.Signals): Promise<NodeJS.Signals | null> {
  const child = agent;
  if (child === undefined) return null;
  agent = undefined;
  if (child.exitCode !== null || child.signalCode !== null) return child.signalCode;
  const gone = new Promise<NodeJS.Signals | null>((done) => { child.on('exit', (_code, signal) => done(signal)); });
  if (kill !== undefined) child.kill(kill);
  return await gone;
}

const pod = { namespace: 'default', name: 'web' };
const containers = async (): Promise<readonly RuntimeContainer[]> => dockerRuntime(engine.host).containers.list({ 'podwire.io/cluster': engine.clusterId }, AbortSignal.timeout(10_000));
const entries = (folder: string): readonly string[] => (existsSync(join(config.rootDir, folder)) ? readdirSync(join(config.rootDir, folder)) : []);
const leases = (): readonly string[] => entries('cni/podwire').filter((name) => name.startsWith('10.244.'));
const links = (): readonly string[] => {
  using route = openRoute();
  return listLinks(route).map((link) => link.name).filter((name) => /^pw-[0-9a-f]{12}$/u.test(name));
};
/** Rows of attachments in our table: those of the overlay belong to the node. */
const rows = (): readonly string[] => (run('/usr/sbin/nft', 'list', 'ruleset').match(/comment "[0-9a-f]{8}:[0-9a-f]{12}"/gu) ?? []);

const all = async (): Promise<readonly string[]> => [...leases(), ...links(), ...new Set(rows()), ...(await containers()).map(({ name }) => name)];

async function nothingIsLeft(): Promise<void> {
  await eventually('nothing is left', async () => (await all()).length === 0).catch(async (error: unknown) => { throw new Error(`${String(error)}: ${(await all()).join(' ')}`, { cause: error }); });
}

async function create(): Promise<void> {
  await client.create(resources.pods, {
    metadata: pod,
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: engine.shellImage, command: ['sleep', '1000'], ports: [{ containerPort: 80, hostPort: 18_080 }] }] },
  });
}

const isReady = (one: Pod): boolean => one.status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true;

for (const [step, what] of [['done', 'between ADD and the container\'s start'], ['veth', 'in the middle of ADD']] as const) {
  maybe(`killed ${what}: the next agent brings the pod up with one address, link and rule, and takes all of it away with the pod`, async (t) => {
    await ended('SIGTERM');
    start({ PODWIRE_CNI_DIE_AFTER: step });
    await create();
    t.is(await ended(), 'SIGKILL', 'the fault has struck');
    t.deepEqual([leases().length, links().length], [1, 1]);
    t.true((await containers()).every(({ image }) => image !== engine.shellImage), 'no container of the pod has been started');

    start();
    const up = await eventually('the pod is Ready', async () => {
      const now = await client.get(resources.pods, pod);
      return isReady(now) ? now : undefined;
    }).catch(async (error: unknown) => { throw new Error(`${String(error)}; status: ${JSON.stringify((await client.get(resources.pods, pod)).status)}`); });
    await eventually('what the dead agent left is gone', async () => leases().length === 1 && links().length === 1 && (await containers()).length === 2);
    t.deepEqual(leases(), [up.status?.podIP ?? '']);
    t.is(new Set(rows()).size, 1);
    await client.delete(resources.pods, pod);
    await nothingIsLeft();
  });
}

maybe('killed between ADD and the container\'s start, and the pod deleted before the next agent comes: nothing is left', async (t) => {
  await ended('SIGTERM');
  start({ PODWIRE_CNI_DIE_AFTER: 'done' });
  await create();
  t.is(await ended(), 'SIGKILL');
  t.is((await all()).length, 4, 'an address, a link, a rule, a sandbox');
  await client.delete(resources.pods, pod, { gracePeriodSeconds: 0 });
  start();
  await nothingIsLeft();
  // The last thing the agent removes, after the sandbox.
  await eventually('the folder of the pod is gone', () => entries('pods').length === 0);
  t.deepEqual(entries('pods'), []);
});
