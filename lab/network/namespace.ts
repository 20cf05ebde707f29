// Network namespaces kept by a bind mount (as `ip netns add` does, but in the lab's own folder), and sysctls inside a namespace.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { withNetns } from '@podwire/netlink';
import { run, tryRun } from '../processes/run.ts';

/** unshare --net=PATH true. A file without a namespace mounted on it (left by a reboot) is used again. */
export async function ensureNetns(path: string): Promise<'present' | 'made'> {
  if (isNetns(path)) return 'present';
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  await run(['/usr/bin/unshare', `--net=${path}`, '/bin/true']);
  return 'made';
}

export function isNetns(path: string): boolean {
  return existsSync(path) && readFileSync('/proc/self/mounts', 'utf8').includes(` ${path} nsfs `);
}

/** umount PATH; the namespace goes with its last user, and its devices with it. */
export async function removeNetns(path: string): Promise<void> {
  if (isNetns(path)) await tryRun(['/usr/bin/umount', '--lazy', path]);
  rmSync(path, { force: true });
}

/** ip -batch - inside the namespace: all lines or an error that names the first that failed. */
export async function ipInside(netns: string, args: readonly string[]): Promise<string> {
  return run(['/usr/bin/nsenter', `--net=${netns}`, '--', '/usr/sbin/ip', ...args]);
}

/** Sets sysctls (name to value) in a namespace, those that differ. A name that this kernel does not have is skipped when it ends in "?". */
export function setSysctls(netns: string, wanted: Readonly<Record<string, string>>): void {
  withNetns(netns, () => {
    for (const [name, value] of Object.entries(wanted)) {
      const path = `/proc/sys/${name.replace(/\?$/u, '')}`;
      if (name.endsWith('?') && !existsSync(path)) continue;
      if (readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
    }
  });
}
