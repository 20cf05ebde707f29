// Named network namespaces, the same that `ip netns` uses, and settings inside one.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { NetlinkError } from './errors.ts';
import * as libc from './libc.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';
import type { NetlinkSocketOptions } from './socket.ts';
import { startThreadPool, withNetns } from './thread-netns.ts';

const DIRECTORY = '/run/netns';
const SELF = '/proc/thread-self/ns/net';

/** Where `ip netns add NAME` keeps the namespace. */
export const netnsPath = (name: string): string => `${DIRECTORY}/${name}`;

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || Buffer.byteLength(name) > 255) throw new TypeError(`'${name}' cannot name a network namespace`);
}

/** `/run/netns` must be a shared mount, or namespaces made here stay visible in nobody else's mount namespace and cannot be removed there. */
function ensureDirectory(): void {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 });
  if (libc.mount('', DIRECTORY, 'none', libc.MS_SHARED | libc.MS_REC, null) === 0) return;
  if (libc.lastErrno() !== constants.errno.EINVAL) throw new NetlinkError(`mount --make-shared ${DIRECTORY}`, libc.lastErrno());
  if (libc.mount(DIRECTORY, DIRECTORY, 'none', libc.MS_BIND | libc.MS_REC, null) !== 0) throw new NetlinkError(`mount --bind ${DIRECTORY}`, libc.lastErrno());
  if (libc.mount('', DIRECTORY, 'none', libc.MS_SHARED | libc.MS_REC, null) !== 0) throw new NetlinkError(`mount --make-shared ${DIRECTORY}`, libc.lastErrno());
}

/** `ip netns add NAME`; returns its path. EEXIST when the name is taken. */
export function createNetns(name: string): string {
  checkName(name);
  startThreadPool();
  ensureDirectory();
  const path = netnsPath(name);
  if (existsSync(path)) throw new NetlinkError(`ip netns add ${name}`, constants.errno.EEXIST);
  closeSync(openSync(path, 'wx', 0o444));
  try {
    // Back in our own namespace when `withNetns` returns: `unshare` happens in between.
    withNetns(SELF, () => {
      if (libc.unshare(libc.CLONE_NEWNET) !== 0) throw new NetlinkError(`ip netns add ${name}`, libc.lastErrno());
      if (libc.mount(SELF, path, 'none', libc.MS_BIND, null) !== 0) throw new NetlinkError(`mount --bind ${SELF} ${path}`, libc.lastErrno());
    });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  return path;
}

/** `ip netns del NAME`; nothing happens when it is not there. The namespace lives on while a process or a socket holds it. */
export function deleteNetns(name: string): void {
  checkName(name);
  const path = netnsPath(name);
  if (!existsSync(path)) return;
  if (libc.umount2(path, libc.MNT_DETACH) !== 0 && libc.lastErrno() !== constants.errno.EINVAL) throw new NetlinkError(`ip netns del ${name}`, libc.lastErrno());
  rmSync(path, { force: true });
}

/**
 * A rtnetlink socket, in this thread's namespace or in the one at `netns`; it goes on serving that namespace whatever the thread does.
 * Dumps are filtered by the kernel (strict checking).
 */
export const openRoute = (options: Omit<NetlinkSocketOptions, 'isStrict'> = {}): NetlinkSocket => NetlinkSocket.open(NETLINK_ROUTE, { ...options, isStrict: true });

const sysctlPath = (key: string): string => {
  // 'net.ipv4.conf.eth0.rp_filter'; a device with dots in its name is written with slashes, as with sysctl(8): 'net/ipv4/conf/eth0.1/rp_filter'.
  const path = key.includes('/') ? key : key.replaceAll('.', '/');
  if (path.split('/').some((part) => part === '' || part === '..')) throw new TypeError(`'${key}' is not a sysctl name`);
  return `/proc/sys/${path}`;
};

/** `ip netns exec NS sysctl -w KEY=VALUE`; undefined: this thread's own namespace. Writes only when the value differs; true: it was changed. */
export function setSysctl(netns: string | undefined, key: string, value: string | number): boolean {
  return withNetns(netns, () => {
    const path = sysctlPath(key);
    const wanted = String(value);
    try {
      if (readFileSync(path, 'utf8').trim() === wanted) return false;
      writeFileSync(path, wanted);
      return true;
    } catch (error) {
      throw new Error(`sysctl ${key}=${wanted}: ${(error as Error).message}${key.startsWith('net.bridge.') ? '; is the module br_netfilter loaded?' : ''}`, { cause: error });
    }
  });
}

/** `ip netns exec NS sysctl -n KEY`; undefined when this kernel has no such setting. */
export function getSysctl(netns: string | undefined, key: string): string | undefined {
  return withNetns(netns, () => {
    const path = sysctlPath(key);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  });
}
