import { createNetns, deleteNetns, netnsPath, unshareNetns } from '@podwire/netlink';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPlugin } from './run.ts';

/**
 * Every verb once, in a namespace of its own: at install, so that the code cache holds what later calls run (V8 keeps in
 * it only what was executed; an ADD that compiles itself takes twice the time). What fails here is not needed for that.
 */
export async function warmUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pw-cni-warm-'));
  const name = `pw-warm-${process.pid}`;
  try {
    unshareNetns();
    createNetns(name);
    const env = { CNI_PATH: folder, CNI_CONTAINERID: 'warm', CNI_NETNS: netnsPath(name), CNI_IFNAME: 'eth0', CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=warm;K8S_POD_NAMESPACE=up' };
    const ipam = { type: 'host-local', dataDir: folder, ranges: [[{ subnet: '10.0.0.0/24' }], [{ subnet: 'fd00::/64' }]], routes: [{ dst: '0.0.0.0/0' }] };
    const base = { cniVersion: '1.1.0', name: 'warm', ipMasq: true, isDefaultGateway: true, ipam };
    const call = async (plugin: string, verb: string, config: object): Promise<unknown> => {
      const { stdout } = await runPlugin(plugin, { CNI_COMMAND: verb, ...env }, () => JSON.stringify(config));
      return stdout === '' ? {} : JSON.parse(stdout);
    };
    for (const plugin of ['podwire', 'ptp'] as const) {
      const config = { ...base, type: plugin };
      const prevResult = await call(plugin, 'ADD', config);
      await call(plugin, 'CHECK', { ...config, prevResult });
      const ports = { ...base, type: 'portmap', prevResult, runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'udp' }] } };
      for (const verb of ['ADD', 'CHECK', 'DEL']) await call('portmap', verb, ports);
      await call(plugin, 'DEL', { ...config, prevResult });
      await call(plugin, 'STATUS', config);
      await call(plugin, 'GC', { ...config, 'cni.dev/valid-attachments': [] });
    }
    for (const verb of ['ADD', 'DEL']) await call('host-local', verb, base);
  } finally {
    deleteNetns(name);
    rmSync(folder, { recursive: true, force: true });
  }
}
