// `podwire proxy` as a program: it programs the namespace it is started in, answers for its health, keeps its rules when it is
// killed, takes them over again, and removes them when told.
import test from 'ava';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { unshareNetns } from '@podwire/netlink';
import { resources } from '@podwire/kube-client';
import { runNft } from 'nftables-js';
import { kubeconfigText } from '../../proxy/testing/cluster-api.ts';
import type { ClusterApi } from '../../proxy/testing/cluster-api.ts';
import { until } from '../../proxy/testing/netlab.ts';
import { node, service, slice } from '../../proxy/testing/objects.ts';
import { startApiUnderTest } from '../helpers/api-under-test.ts';

const MAIN = new URL('../../proxy/main.ts', import.meta.url).pathname;
unshareNetns();
execFileSync('/sbin/ip', ['link', 'set', 'lo', 'up']);

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pw-proxy-'));
let api: ClusterApi;
const children: ReturnType<typeof spawn>[] = [];

test.before(async () => {
  api = await startApiUnderTest();
  fs.writeFileSync(path.join(directory, 'kubeconfig'), kubeconfigText(api.access), { mode: 0o600 });
  api.put(resources.nodes, node('n1', ['192.0.2.1']));
  api.put(resources.services, service('web', ['10.96.0.10']));
  api.put(resources.endpointSlices, slice('web-4', 'web', [{ address: '10.244.1.2' }]));
  await api.settled();
});
test.after.always(async () => {
  for (const child of children) child.kill('SIGKILL');
  await api[Symbol.asyncDispose]();
  fs.rmSync(directory, { recursive: true });
});

const table = async (): Promise<string> => runNft(['list', 'ruleset'], '');
const flags = ['--kubeconfig', path.join(directory, 'kubeconfig'), '--hostname-override', 'n1', '--cluster-cidr', '10.244.0.0/16', '--service-cidr', '10.96.0.0/16'];
const start = (...more: string[]): ReturnType<typeof spawn> => {
  const child = spawn(process.execPath, [MAIN, ...flags, ...more], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  return child;
};
const get = async (url: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
};
const up = (): Promise<void> => until(async () => (await get('http://127.0.0.1:10256/healthz').catch(() => undefined))?.status === 200, 'a healthy proxy', 20_000);

test.serial('it programs its namespace, touches no other table, and answers on its ports', async (t) => {
  await runNft(['-f', '-'], 'add table inet bystander\n');
  const child = start();
  await up();
  const text = await table();
  t.regex(text, /10\.96\.0\.10 \. tcp \. 80 : 0x81/);
  t.regex(text, /table inet bystander/);
  const health = JSON.parse((await get('http://127.0.0.1:10256/livez')).text) as Record<string, unknown>;
  t.deepEqual(Object.keys(health), ['lastUpdated', 'currentTime', 'nodeEligible']);
  t.regex((await get('http://127.0.0.1:10249/metrics')).text, /kubeproxy_sync_proxy_rules_last_timestamp_seconds\{ip_family="IPv4"\} [1-9]/);
  t.is((await get('http://127.0.0.1:10249/proxyMode')).text, 'nftables');
  t.regex((await get('http://127.0.0.1:10249/configz')).text, /clusterCIDRs/);
  api.put(resources.nodes, node('n1', ['192.0.2.1'], { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }));
  await until(async () => (await get('http://127.0.0.1:10256/healthz')).status === 503, 'the leaving node to be said');
  t.is((await get('http://127.0.0.1:10256/livez')).status, 200);
  api.put(resources.nodes, node('n1', ['192.0.2.1']));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test.serial('killed, it leaves its rules; started again, it takes them over with the same ids, and stops with exit code 0', async (t) => {
  const ids = (text: string): string[] => text.match(/0x8[0-9a-f]{7}/g) ?? [];
  const before = await table();
  t.true(ids(before).length > 0);
  api.put(resources.endpointSlices, slice('web-4', 'web', [{ address: '10.244.1.3' }]));
  const child = start();
  await up();
  await until(async () => (await table()).includes('10.244.1.3'), 'what happened meanwhile');
  t.deepEqual(ids(await table()).sort(), ids(before).sort());
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  t.is(code, 0);
  t.true((await table()).includes('10.244.1.3'));
});

test.serial('--cleanup removes both tables and nothing else', async (t) => {
  execFileSync(process.execPath, [MAIN, '--cleanup'], { stdio: 'ignore' });
  const text = await table();
  t.false(text.includes('podwire'));
  t.true(text.includes('inet bystander'));
  execFileSync(process.execPath, [MAIN, '--cleanup'], { stdio: 'ignore' });
});

test.serial('--print-ruleset prints what nft accepts', async (t) => {
  const text = execFileSync(process.execPath, [MAIN, '--print-ruleset'], { encoding: 'utf8' });
  await t.notThrowsAsync(runNft(['-c', '-f', '-'], text));
});

const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['an unknown flag', ['--colour'], /--colour.*--help/s],
  ['a bad CIDR', ['--cluster-cidr', '10.0.0.0'], /--cluster-cidr: "10\.0\.0\.0" is not a CIDR/],
  ['no API server', [], /pass --kubeconfig FILE/],
  ['a kubeconfig that is not there', ['--kubeconfig', '/nowhere'], /cannot read \/nowhere/],
  ['a config file that is not there', ['--config', '/nowhere'], /--config \/nowhere: cannot be read/],
];
for (const [what, args, message] of wrong) {
  test.serial(`${what} is said in one line, exit code 2`, (t) => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    t.is(status, 2);
    t.regex(stderr, message);
  });
}
