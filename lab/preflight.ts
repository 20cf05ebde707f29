// What must hold before `up` touches anything. Each failure says what is wrong and what to do; nothing has been made then.
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { LabError } from './errors.ts';
import { tryRun } from './processes/run.ts';
import type { LabNames } from './state/names.ts';

export function requireRoot(command: string): void {
  if (process.getuid?.() !== 0) throw new LabError('ENEED', `podwire ${command} needs root: it makes network namespaces and starts containers; run it with sudo`);
}

/** A folder with somebody's files is not ours to fill, and `down` must never empty it. */
export function requireOwnFolder(names: LabNames): void {
  if (existsSync(names.stateFile) || !existsSync(names.stateDir)) return;
  if (readdirSync(names.stateDir).length > 0) throw new LabError('EUSAGE', `--state-dir: ${names.stateDir} is not empty and holds no lab; give an empty or a new folder`);
}

const tools: readonly (readonly [string, string])[] = [
  ['/usr/sbin/ip', 'iproute2'], ['/usr/sbin/nft', 'nftables'], ['/usr/bin/nsenter', 'util-linux'], ['/usr/bin/unshare', 'util-linux'],
  ['/usr/bin/umount', 'mount'], ['/usr/bin/tini-static', 'tini'], ['/usr/bin/ldd', 'libc-bin'],
];

export function requireTools(): void {
  const missing = tools.filter(([path]) => !existsSync(path));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new LabError('ENEED', `missing: ${missing.map(([path]) => path).join(', ')}; install them (Debian: apt-get install ${packages}) or run: sh lab/setup.sh`);
}

/** Tries the kernel in a throw-away namespace. A lack that the chosen modes do not need is left to them. */
export async function requireKernel(modes: { readonly networkMode: string; readonly podInterface: string }): Promise<void> {
  const check = await tryRun(['/bin/sh', fileURLToPath(new URL('kernel-check.sh', import.meta.url))]);
  const lacking = check.stdout.split('\n').filter((line) => line !== '')
    .filter((line) => !(line.startsWith('VXLAN') && modes.networkMode === 'host-gw') && !(line.startsWith('bridge netfilter') && modes.podInterface === 'ptp'));
  if (check.code !== 0 && lacking.length === 0) throw new LabError('ENEED', `the kernel could not be checked: ${check.stderr.trim()}`);
  if (lacking.length > 0) throw new LabError('ENEED', `this kernel lacks what Podwire needs:\n  ${lacking.join('\n  ')}\nuse a stock Debian 12 kernel, or load the modules`);
}

/** Somebody who listens on the port at every address would keep our API server from its own address too. */
export async function requireFreePort(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new LabError('EBUSY', `--api-port: port ${port} is in use on this machine (see: ss -ltnp 'sport = :${port}'); stop that program or choose another port`) : error);
    });
    // Any loopback address will do: it collides with a listener on all addresses and with no other lab's.
    server.listen(port, '127.77.0.1', () => { server.close(() => resolve()); });
  });
}
