// Volumes of the pods of this node, below DIR/pods/UID/volumes. Makes them, keeps file volumes current, takes them away.
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseQuantity } from '@podwire/kube-client';
import type { Container, Pod, Volume } from '@podwire/kube-client';
import type { Mount } from '../runtime/runtime.ts';
import { writeVolume } from './atomic-files.ts';
import { expandVariables } from './expand.ts';
import { isFileVolume, volumeFiles, VolumeError } from './volume-files.ts';
import type { VolumeInputs } from './volume-files.ts';

const run = promisify(execFile);

export class Volumes {
  readonly #root: string;
  /** The last work on each pod's folder: containers that start side by side must not make the same volume twice at once. */
  readonly #work = new Map<string, Promise<void>>();

  /** `root` is the agent's own folder. */
  constructor(root: string) {
    this.#root = root;
  }

  podDir(uid: string): string {
    return path.join(this.#root, 'pods', uid);
  }

  /** UIDs of pods that have a folder. */
  async present(): Promise<string[]> {
    return readdir(path.join(this.#root, 'pods')).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
  }

  /** Makes every volume of the pod. Safe to repeat. */
  async setUp(pod: Pod, inputs: (volume: Volume) => Promise<VolumeInputs>): Promise<void> {
    await this.#alone(pod, () => this.#setUp(pod, inputs));
  }

  async #alone(pod: Pod, work: () => Promise<void>): Promise<void> {
    const uid = pod.metadata?.uid ?? '';
    const before = this.#work.get(uid) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(work);
    this.#work.set(uid, mine);
    try {
      await mine;
    } finally {
      if (this.#work.get(uid) === mine) this.#work.delete(uid);
    }
  }

  async #setUp(pod: Pod, inputs: (volume: Volume) => Promise<VolumeInputs>): Promise<void> {
    const group = pod.spec?.securityContext?.fsGroup;
    for (const volume of pod.spec?.volumes ?? []) {
      const directory = this.#volumeDir(pod, volume);
      if (isFileVolume(volume)) await writeVolume(directory, volumeFiles(pod, volume, await inputs(volume)), group);
      else if (volume.emptyDir !== undefined) await this.#emptyDir(directory, volume, group);
      else if (volume.hostPath !== undefined) await checkHostPath(volume.name, volume.hostPath.path, volume.hostPath.type ?? '');
      else throw new VolumeError(`volume "${volume.name}": this node has configMap, secret, downwardAPI, projected, emptyDir and hostPath volumes; "${Object.keys(volume).find((key) => key !== 'name') ?? 'none'}" is not one of them`);
    }
  }

  /** Brings changed ConfigMaps, Secrets, labels and tokens into the files. */
  async refresh(pod: Pod, inputs: (volume: Volume) => Promise<VolumeInputs>): Promise<void> {
    await this.#alone(pod, async () => {
      for (const volume of pod.spec?.volumes ?? []) {
        if (isFileVolume(volume)) await writeVolume(this.#volumeDir(pod, volume), volumeFiles(pod, volume, await inputs(volume)), pod.spec?.securityContext?.fsGroup);
      }
    });
  }

  /** Mounts of one container: its volumeMounts, and the files that all containers of a pod share. */
  async mounts(pod: Pod, container: Container, attempt: number, env: ReadonlyMap<string, string>): Promise<Mount[]> {
    const mounts: Mount[] = [];
    for (const mount of container.volumeMounts ?? []) {
      const volume = (pod.spec?.volumes ?? []).find((one) => one.name === mount.name);
      if (volume === undefined) throw new VolumeError(`container ${container.name}: volumeMount "${mount.name}" names no volume of the pod`);
      const base = volume.hostPath?.path ?? this.#volumeDir(pod, volume);
      const sub = mount.subPathExpr === undefined ? mount.subPath : expandVariables(mount.subPathExpr, env);
      const hostPath = sub === undefined || sub === '' ? base : await subPath(base, sub, volume, mount.name);
      mounts.push({
        hostPath, containerPath: mount.mountPath, readOnly: mount.readOnly === true || isFileVolume(volume),
        ...(mount.mountPropagation === 'Bidirectional' ? { propagation: 'rshared' as const } : mount.mountPropagation === 'HostToContainer' ? { propagation: 'rslave' as const } : {}),
      });
    }
    const dir = this.podDir(pod.metadata?.uid ?? '');
    const taken = new Set(mounts.map((mount) => mount.containerPath));
    for (const [file, target] of [['hosts', '/etc/hosts'], ['resolv.conf', '/etc/resolv.conf'], ['hostname', '/etc/hostname']] as const) {
      if (!taken.has(target)) mounts.push({ hostPath: path.join(dir, file), containerPath: target, readOnly: false });
    }
    const log = this.terminationLog(pod.metadata?.uid ?? '', container.name, attempt);
    await mkdir(path.dirname(log), { recursive: true });
    await writeFile(log, '', { mode: 0o666 });
    await chmod(log, 0o666);
    mounts.push({ hostPath: log, containerPath: container.terminationMessagePath ?? '/dev/termination-log', readOnly: false });
    return mounts;
  }

  terminationLog(uid: string, container: string, attempt: number): string {
    return path.join(this.podDir(uid), 'containers', container, `${attempt}.termination`);
  }

  /** Unmounts and removes everything of a pod. */
  async tearDown(uid: string): Promise<void> {
    const directory = this.podDir(uid);
    const mounted = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '').filter((target) => target.startsWith(`${directory}/`));
    for (const target of mounted.reverse()) await run('/bin/umount', [target]);
    await rm(directory, { recursive: true, force: true });
  }

  #volumeDir(pod: Pod, volume: Volume): string {
    const kind = volume.emptyDir !== undefined ? 'empty-dir' : volume.configMap !== undefined ? 'configmap' : volume.secret !== undefined ? 'secret' : volume.projected !== undefined ? 'projected' : 'downward-api';
    return path.join(this.podDir(pod.metadata?.uid ?? ''), 'volumes', kind, volume.name);
  }

  async #emptyDir(directory: string, volume: Volume, group: number | undefined): Promise<void> {
    const exists = await stat(directory).then(() => true, () => false);
    if (exists) return;
    // Made aside and put in place last, so that a half-made one (tmpfs not mounted yet) is never taken for a whole one.
    await mkdir(directory, { recursive: true });
    if (volume.emptyDir?.medium === 'Memory') {
      const limit = volume.emptyDir.sizeLimit;
      const size = limit === undefined ? [] : ['-o', `size=${Math.ceil(parseQuantity(limit))}`];
      try {
        await run('/bin/mount', ['-t', 'tmpfs', ...size, 'tmpfs', directory]);
      } catch (error) {
        await rm(directory, { recursive: true, force: true });
        throw new VolumeError(`volume "${volume.name}": mount tmpfs: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    await chmod(directory, group === undefined ? 0o777 : 0o2777);
    if (group !== undefined) await chown(directory, 0, group);
  }
}

async function checkHostPath(name: string, target: string, type: string): Promise<void> {
  const found = await stat(target).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  const wrong = (what: string): VolumeError => new VolumeError(`volume "${name}": hostPath type check failed: ${target} is not ${what}`);
  switch (type) {
    case '': if (found === undefined) await mkdir(target, { recursive: true }); return;
    case 'DirectoryOrCreate': if (found === undefined) await mkdir(target, { recursive: true, mode: 0o755 }); else if (!found.isDirectory()) throw wrong('a directory'); return;
    case 'FileOrCreate': if (found === undefined) await writeFile(target, '', { mode: 0o644 }); else if (!found.isFile()) throw wrong('a file'); return;
    case 'Directory': if (found?.isDirectory() !== true) throw wrong('a directory'); return;
    case 'File': if (found?.isFile() !== true) throw wrong('a file'); return;
    case 'Socket': if (found?.isSocket() !== true) throw wrong('a socket'); return;
    case 'CharDevice': if (found?.isCharacterDevice() !== true) throw wrong('a character device'); return;
    case 'BlockDevice': if (found?.isBlockDevice() !== true) throw wrong('a block device'); return;
    default: throw new VolumeError(`volume "${name}": hostPath type "${type}" is unknown`);
  }
}

/** A path below a volume. A link in the volume that leads out of it is refused: it would show the node's files to the pod. */
async function subPath(base: string, sub: string, volume: Volume, name: string): Promise<string> {
  if (path.isAbsolute(sub) || sub.split('/').includes('..')) throw new VolumeError(`volumeMount "${name}": subPath "${sub}" must be relative and must not contain ".."`);
  const target = path.join(base, sub);
  const exists = await stat(target).then(() => true, () => false);
  if (!exists && (volume.emptyDir !== undefined || volume.hostPath !== undefined)) await mkdir(target, { recursive: true, mode: 0o777 });
  const [real, root] = [await realpath(target), await realpath(base)];
  if (real !== root && !real.startsWith(`${root}/`)) throw new VolumeError(`volumeMount "${name}": subPath "${sub}" leads out of its volume`);
  return real;
}
