// The few paths outside our folders that an engine makes whatever its flags say. Those that were absent before our engine's
// first start are removed when the lab goes down; those that were there stay.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** Children before their folders. */
const paths = ['/etc/docker/key.json', '/etc/docker', '/run/docker/plugins', '/run/docker', '/run/containerd/s', '/run/containerd', '/run/runc', '/var/run/docker'] as const;

/** One record for all labs on the machine: the first one writes it, the last one to go acts on it. */
const runRoot = '/run/podwire';
const record = `${runRoot}/absent-before.json`;

export function rememberAbsent(): void {
  mkdirSync(runRoot, { recursive: true });
  if (!existsSync(record)) writeFileSync(record, JSON.stringify(paths.filter((path) => !existsSync(path))));
}

/** To be called when this lab's own folder below /run/podwire is gone. */
export function removeFootprints(): void {
  if (!existsSync(record) || readdirSync(runRoot).length > 1) return;
  const absent = z.array(z.enum(paths)).catch([]).parse(JSON.parse(readFileSync(record, 'utf8')));
  rmSync(record);
  removeWhenEmpty(runRoot);
  for (const path of paths) {
    if (!absent.includes(path) || !existsSync(path)) continue;
    if (statSync(path).isDirectory()) removeWhenEmpty(path);
    else rmSync(path);
  }
}

/** Another engine may have moved in meanwhile: its folder is not empty and stays. */
export function removeWhenEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
