// `podwire proxy`, the program, killed again and again under load: while it starts, while it takes its rules over, while endpoints change,
// and when it stands. No connection fails, none that stands breaks, and the last start brings the kernel to what is wanted.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { resources } from '@podwire/kube-client';
import { kubeconfigText } from '../../proxy/testing/cluster-api.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { ADDRESSES, until } from '../../proxy/testing/netlab.ts';
import { service, slice } from '../../proxy/testing/objects.ts';

const MAIN = new URL('../../proxy/main.ts', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'pw-proxy-killed-'));
let harness: Harness;
let child: ChildProcess | undefined;

test.before(async () => {
  harness = await createHarness();
  harness.api.put(resources.services, service('web', ['10.96.0.10', 'fd96::10']));
  endpoints('b', 'c');
  await harness.synced();
  await harness.proxy.stop();
  writeFileSync(join(directory, 'kubeconfig'), kubeconfigText(harness.api.access), { mode: 0o600 });
});
test.after.always(async () => {
  await kill();
  await harness[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function endpoints(...pods: ('b' | 'c')[]): void {
  for (const family of [0, 1] as const) harness.api.put(resources.endpointSlices, slice(`web-${family === 0 ? 4 : 6}`, 'web', pods.map((pod) => ({ address: ADDRESSES[pod][family], node: pod === 'b' ? 'node1' : 'node2' }))));
}

function start(): void {
  child = spawn(process.execPath, [MAIN, '--kubeconfig', join(directory, 'kubeconfig'), '--hostname-override', 'node1', '--cluster-cidr', '10.244.0.0/16,fd44::/16', '--service-cidr', '10.96.0.0/16,fd96::/112'], { stdio: 'ignore' });
}

async function kill(): Promise<void> {
  if (child === undefined) return;
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGKILL');
  await ended;
  child = undefined;
}

const isHealthy = async (): Promise<boolean> => (await fetch('http://127.0.0.1:10256/healthz', { headers: { connection: 'close' } }).catch(() => undefined))?.status === 200;

test.serial('killed at any moment under load, it loses no connection and no request', async (t) => {
  const { a, node1, outside } = harness.lab;
  for (const host of ['10.96.0.10', 'fd96::10']) await a.hold({ protocol: 'tcp', host, port: 80, count: 4 });
  const before = await a.exchange();
  await a.load({ protocol: 'tcp', host: '10.96.0.10', port: 80, timeoutMs: 5000 }, 3);
  await node1.load({ protocol: 'udp', host: 'fd96::10', port: 80, timeoutMs: 5000 }, 5);
  await outside.load({ protocol: 'tcp', host: 'fd96::10', port: 80, timeoutMs: 5000 }, 5);
  // From exec to programmed takes some hundred milliseconds: most of these end somewhere in the middle, wherever that is.
  for (let i = 0; i < 12; i++) {
    start();
    endpoints(...(i % 3 === 0 ? ['b'] as const : i % 3 === 1 ? ['c'] as const : ['b', 'c'] as const));
    await sleep(i * 90);
    await kill();
  }
  endpoints('c');
  start();
  await until(isHealthy, 'a healthy proxy', 20_000);
  await until(async () => (await harness.ask({ from: a, protocol: 'tcp', host: '10.96.0.10', port: 80, count: 4 })).every((reply) => reply.startsWith('c|')), 'the last change', 10_000);
  const results = await Promise.all([a, node1, outside].map((probe) => probe.unload()));
  t.deepEqual(results.flatMap(({ failures }) => failures), []);
  for (const { replies } of results) t.true(Object.values(replies).reduce((sum, one) => sum + one, 0) > 50, JSON.stringify(replies));
  t.deepEqual(await a.exchange(), before, 'connections that stood go on, with the same endpoint');
  t.deepEqual(await harness.predict({ from: a, protocol: 'tcp', host: '10.96.0.10', port: 80 }), await harness.ask({ from: a, protocol: 'tcp', host: '10.96.0.10', port: 80 }));
});
