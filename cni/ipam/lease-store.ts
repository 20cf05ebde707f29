import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CniError, cniCode } from '../protocol/errors.ts';
import { formatIp, parseIp } from './address.ts';
import type { Ip } from './address.ts';
import { withFileLock } from './flock.ts';

export interface Lease {
  readonly ip: Ip;
  /** '' when the file is corrupt: no attachment matches it, GC frees it. */
  readonly containerId: string;
  /** '' in files of old host-local versions, which match any interface. */
  readonly ifname: string;
}

/** The holder of a lease file that cannot be read as one: nobody's, and still an address that is not free. */
const nobody = '';

/** What a locked store can do; valid only inside `withLeases`. */
export interface Leases {
  /** All leases, corrupt ones too. Files with nothing in them, which a writer that died leaves, are removed on the way. */
  list(): readonly Lease[];
  /** False when somebody has the address. */
  reserve(ip: Ip, containerId: string, ifname: string): boolean;
  holder(ip: Ip): Lease | undefined;
  release(ip: Ip): void;
  lastReserved(set: number): Ip | undefined;
  setLastReserved(set: number, ip: Ip): void;
}

/**
 * The lease folder of one network, in host-local's layout, so that either can take over from the other:
 * `<dataDir>/<network>/<ip>` holds "containerId\r\nifname"; `last_reserved_ip.N`; `lock`. Ours too: `boot_id`. Pods do
 * not outlive a reboot, but files do: leases of an earlier boot are dropped when the folder is first opened after it.
 */
export function withLeases<T>(dataDir: string, network: string, work: (leases: Leases) => T): T {
  const folder = join(dataDir, network);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return withFileLock(join(folder, 'lock'), () => {
      forgetEarlierBoot(folder);
      return work(leasesIn(folder));
    });
  } catch (error) {
    if (error instanceof CniError) throw error;
    throw new CniError(cniCode.io, `leases in ${folder}: ${error instanceof Error ? error.message : String(error)}; the folder must be writable and unshared between nodes`, { cause: error });
  }
}

function leasesIn(folder: string): Leases {
  const fileOf = (ip: Ip): string => join(folder, formatIp(ip));
  return {
    list: () => addressesIn(folder).flatMap((ip) => {
      const lease = readLease(fileOf(ip), ip);
      if (lease === 'empty') remove(fileOf(ip));
      return lease === 'empty' || lease === undefined ? [] : [lease];
    }),
    // A process killed between the creation and the content leaves an empty file; `list`, which every allocation begins
    // with, takes that away: nobody else can be between the two, since they happen under the lock.
    reserve: (ip, containerId, ifname) => created(fileOf(ip), `${containerId}\r\n${ifname}`),
    holder: (ip) => {
      const lease = readLease(fileOf(ip), ip);
      return lease === 'empty' ? { ip, containerId: nobody, ifname: '' } : lease;
    },
    release: (ip) => remove(fileOf(ip)),
    lastReserved: (set) => {
      const text = read(join(folder, `last_reserved_ip.${set}`));
      return text === undefined ? undefined : parseIp(text.trim());
    },
    // Only a hint where to go on: one that is cut off in a crash makes the next allocation begin at the front.
    setLastReserved: (set, ip) => overwrite(join(folder, `last_reserved_ip.${set}`), formatIp(ip)),
  };
}

const addressesIn = (folder: string): readonly Ip[] => readdirSync(folder).flatMap((name) => parseIp(name) ?? []);

function readLease(path: string, ip: Ip): Lease | 'empty' | undefined {
  const text = read(path);
  if (text === undefined) return undefined;
  if (text.trim() === '') return 'empty';
  const match = /^([a-zA-Z0-9][a-zA-Z0-9_.-]*)(?:\r?\n([^/:\s]{1,15}))?\s*$/.exec(text);
  return { ip, containerId: match?.[1] ?? nobody, ifname: match?.[2] ?? '' };
}

function forgetEarlierBoot(folder: string): void {
  const now = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  const path = join(folder, 'boot_id');
  const then = read(path)?.trim();
  if (then === now) return;
  if (then !== undefined && then !== '') for (const ip of addressesIn(folder)) remove(join(folder, formatIp(ip)));
  writeFileSync(`${path}.new`, `${now}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** In place: ext4 writes a file that was emptied and filled again out to the disk at once, which takes longer than all the rest of an ADD. */
function overwrite(path: string, content: string): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    writeSync(fd, content, 0);
    ftruncateSync(fd, content.length);
  } finally {
    closeSync(fd);
  }
}

/** False when the file is there already. */
function created(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { mode: 0o644, flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
