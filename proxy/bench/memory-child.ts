// The proxy as it runs in production, measured from outside: informers over HTTP, 30,000 Services x 10; memory, then idleness.
// `host N` holds the API server and the namespace and starts `proxy URL`; it prints the result.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { unshareNetns } from '@podwire/netlink';
import { execFileSync } from 'node:child_process';
import { KernelNft } from 'nftables-js';
import { FakeApi, KubeClient, resources } from '@podwire/kube-client';
import { startProxy } from '../driver/proxy.ts';
import { benchNode, benchService, benchSlice, range } from './stub-client.ts';

export interface MemoryResult { readonly rssMiB: number; readonly idleMs: number; readonly idleCpuMs: number; readonly idleSwitches: number; readonly idleTransactions: number }

const [role = '', argument = ''] = process.argv.slice(2);
const quiet = { info: () => undefined, warn: () => undefined, error: (_fields: object, text: string) => process.stderr.write(`${text}\n`) };

if (role === 'proxy') {
  const client = new KubeClient({ server: argument, namespace: 'default' });
  const proxy = await startProxy({ client, nodeName: 'node-0', log: quiet, config: { clusterCIDRs: ['10.128.0.0/10'], healthzBindAddress: '', metricsBindAddress: '' } });
  await proxy.waitForSync();
  process.send?.('synced');
  setInterval(() => undefined, 2 ** 30);
} else {
  unshareNetns();
  execFileSync('/sbin/ip', ['link', 'set', 'lo', 'up']);
  const api = await FakeApi.start();
  api.put(resources.nodes, benchNode);
  for (const n of range(Number(argument))) {
    api.put(resources.services, benchService(n));
    api.put(resources.endpointSlices, benchSlice(n, range(10)));
  }
  const child = spawn(process.execPath, [new URL(import.meta.url).pathname, 'proxy', api.access.server], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', () => reject(new Error('the measured proxy ended')));
  });
  const status = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1] ?? Number.NaN);
  const cpuMs = (): number => readFileSync(`/proc/${child.pid ?? 0}/stat`, 'utf8').split(' ').slice(13, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(20_000); // the collection after the load, and its echo
  const rssMiB = status('VmRSS') / 1024;
  using nft = KernelNft.open();
  const before = { cpu: cpuMs(), switches: status('voluntary_ctxt_switches'), generation: await nft.generation() };
  await pause(10_000);
  const result: MemoryResult = { rssMiB, idleMs: 10_000, idleCpuMs: cpuMs() - before.cpu, idleSwitches: status('voluntary_ctxt_switches') - before.switches, idleTransactions: await nft.generation() - before.generation };
  process.stdout.write(JSON.stringify(result));
  child.kill('SIGKILL');
  process.exit(0);
}
