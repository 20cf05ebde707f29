// Taking the private engine away: its processes are gone already; left are mounts, control groups, shim sockets and files.
import { globSync, readFileSync, readdirSync, rmSync, existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { tryRun } from '../processes/run.ts';
import { removeFootprints, removeWhenEmpty } from './footprints.ts';
import type { LabNames } from '../state/names.ts';

/** Mount points at or below these folders, deepest first. Octal escapes of /proc/self/mounts (blanks) are undone. */
export function mountsBelow(folders: readonly string[], mounts: string): readonly string[] {
  return mounts.split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll(/\\([0-7]{3})/gu, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .sort((a, b) => b.length - a.length);
}

export async function unmountBelow(folders: readonly string[]): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const points = mountsBelow(folders, readFileSync('/proc/self/mounts', 'utf8'));
    if (points.length === 0) return;
    // Lazily: a process of somebody else may still look at it (a shell in the folder); the files go all the same.
    for (const point of points) await tryRun(['/usr/bin/umount', '--lazy', point]);
  }
}

/** The shims' sockets lie in containerd's own place whatever the configuration; each bundle holds its address. */
function removeShimSockets(names: LabNames): void {
  for (const file of globSync(`${names.runDir}/containerd/io.containerd.runtime.v2.task/*/*/address`)) {
    const socket = readFileSync(file, 'utf8').trim().replace(/^unix:\/\//u, '');
    if (socket.startsWith('/run/containerd/s/')) rmSync(socket, { force: true });
  }
}

function removeCgroups(parent: string): void {
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join('/sys/fs/cgroup', name))];
  for (const root of roots) {
    const top = join(root, parent);
    if (existsSync(top)) removeTree(top);
  }
}

/** Control groups go with rmdir, children first; their files are not files. */
function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(folder, entry.name));
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

export async function removeEngineRemains(names: LabNames): Promise<void> {
  removeShimSockets(names);
  await unmountBelow([names.runDir, names.engineDir]);
  rmSync(names.runDir, { recursive: true, force: true });
  removeFootprints();
  removeWhenEmpty('/run/podwire');
  rmSync(names.engineDir, { recursive: true, force: true });
  removeCgroups(names.cgroupParent);
}
