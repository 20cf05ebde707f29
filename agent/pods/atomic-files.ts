// A directory whose files change all at once: they are links through `..data`, and `..data` is swapped by one rename.
//
//   volume/key -> ..data/key        volume/..data -> ..2026_11_25.abc        volume/..2026_11_25.abc/key
import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface VolumeFile {
  readonly data: Buffer;
  readonly mode: number;
}

/** What a projected volume holds: relative path -> file. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

/** Throws when a path would leave the volume. */
export function checkVolumePath(file: string): void {
  if (file === '' || path.isAbsolute(file) || file.split('/').includes('..') || file.startsWith('..')) {
    throw new RangeError(`volume path "${file}" must be relative and must not contain or start with ".."`);
  }
}

async function unchanged(current: string, files: VolumeFiles): Promise<boolean> {
  const entries = await readdir(current, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  const present = entries?.filter((entry) => entry.isFile());
  if (present === undefined) return false;
  if (present.length !== files.size) return false;
  for (const [name, file] of files) {
    const found = await readFile(path.join(current, name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined || !found.equals(file.data)) return false;
  }
  return true;
}

/** Makes `directory` hold exactly these files; readers see the old set or the new one, never a mixture. Returns whether anything changed. */
export async function writeVolume(directory: string, files: VolumeFiles, group?: number): Promise<boolean> {
  for (const name of files.keys()) checkVolumePath(name);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const dataLink = path.join(directory, '..data');
  const current = await readlink(dataLink).catch(() => undefined);
  if (current !== undefined && await unchanged(path.join(directory, current), files)) return false;
  const fresh = `..${new Date().toISOString().replaceAll(/[^0-9]/gu, '_')}.${randomBytes(4).toString('hex')}`;
  const root = path.join(directory, fresh);
  await mkdir(root, { mode: 0o755 });
  for (const [name, file] of files) {
    const target = path.join(root, name);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, file.data);
    await chmod(target, file.mode);
    if (group !== undefined) await chown(target, 0, group);
  }
  await symlink(fresh, `${dataLink}_tmp`).catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await rm(`${dataLink}_tmp`, { force: true });
    await symlink(fresh, `${dataLink}_tmp`);
  });
  await rename(`${dataLink}_tmp`, dataLink);
  const tops = new Set([...files.keys()].map((name) => name.split('/')[0] ?? name));
  for (const top of tops) {
    const link = path.join(directory, top);
    const exists = await lstat(link).then(() => true, () => false);
    if (!exists) await symlink(path.join('..data', top), link);
  }
  for (const entry of await readdir(directory)) {
    if (entry === '..data' || entry === fresh || tops.has(entry)) continue;
    await rm(path.join(directory, entry), { recursive: true, force: true });
  }
  return true;
}
