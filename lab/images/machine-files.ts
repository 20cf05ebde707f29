// Files that images take from this machine: busybox, tini, the pinned Node and the shared libraries it needs.
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LabError } from '../errors.ts';
import { tryRun } from '../processes/run.ts';
import type { Entry } from './tree.ts';

const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'] as const;

/** A program's path. Throws a LabError that names the Debian package to install. */
export function machineProgram(name: string, debianPackage: string): string {
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new LabError('ENEED', `${name} is missing, which the lab's images are made from; install it (Debian: apt-get install ${debianPackage}) or run: sh lab/setup.sh`);
  return found;
}

export function tini(): string {
  return machineProgram('tini-static', 'tini');
}

export function busybox(): string {
  return machineProgram('busybox', 'busybox-static');
}

/** The commands people type when they look around in a pod. */
const applets = ['sh', 'ash', 'cat', 'ls', 'ps', 'env', 'echo', 'date', 'sleep', 'id', 'hostname', 'ip', 'ifconfig', 'route', 'netstat', 'ping', 'nc', 'wget', 'nslookup', 'head', 'tail', 'grep', 'sed', 'awk', 'mkdir', 'rm', 'cp', 'mv', 'touch', 'vi', 'top', 'kill', 'mount', 'test', '[', 'true', 'false', 'seq', 'find', 'wc', 'sort', 'stat', 'tee', 'time', 'timeout', 'which', 'printf', 'dd', 'df', 'du', 'free', 'uptime', 'xargs', 'readlink', 'pidof', 'tar', 'gzip', 'chmod', 'chown', 'ln', 'pwd', 'uname', 'whoami', 'cut', 'tr', 'md5sum', 'sha256sum', 'hexdump', 'less', 'more', 'traceroute', 'arp', 'expr', 'dirname', 'basename', 'yes'] as const;

/** busybox with its applets, and the few files of /etc that programs look for. */
export function userland(): readonly Entry[] {
  return [
    { kind: 'file', path: 'bin/busybox', source: busybox(), mode: 0o755 },
    ...applets.map((name): Entry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })),
    { kind: 'text', path: 'etc/passwd', text: 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' },
    { kind: 'text', path: 'etc/group', text: 'root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n' },
    { kind: 'text', path: 'etc/nsswitch.conf', text: 'passwd: files\ngroup: files\nhosts: files dns\n' },
    { kind: 'dir', path: 'root', mode: 0o700 },
    { kind: 'dir', path: 'tmp', mode: 0o1777 },
    { kind: 'dir', path: 'var/run' },
  ];
}

/** The shared libraries of a program as `ldd` finds them, each at the path its loader looks at. */
export async function librariesOf(program: string): Promise<readonly Entry[]> {
  const { stdout } = await tryRun(['/usr/bin/ldd', program]);
  const paths = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/gu)].flatMap((match) => match[1] ?? []);
  return [...new Set(paths)].map((path) => ({ kind: 'file', path: path.slice(1), source: realpathSync(path), mode: 0o755 }));
}

/** The Node that runs this program, with its libraries. */
export async function nodeRuntime(): Promise<readonly Entry[]> {
  return [{ kind: 'file', path: `bin/${basename(process.execPath)}`, source: process.execPath, mode: 0o755 }, ...(await librariesOf(process.execPath))];
}
