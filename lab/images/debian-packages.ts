// Files of Debian packages without installing them: downloaded with apt-get, unpacked with dpkg-deb, once, into the cache.
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import { lockFile } from '../processes/file-lock.ts';
import { run, tryRun } from '../processes/run.ts';
import { cacheDir } from './cache.ts';

const attempts = 3;
const pauseMs = 3000;

/**
 * The folder NAME of the cache with the unpacked packages. Fetches them when it is not there; the name must say which packages they are.
 * Any number of processes may ask at once: one fetches, the others wait for it. Throws a LabError with apt-get's own words.
 */
export async function debianPackages(name: string, packages: readonly string[], note: (text: string) => void): Promise<string> {
  const folder = join(cacheDir(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(cacheDir(), { recursive: true });
  await using _lock = await lockFile(join(cacheDir(), 'debian-packages.lock'));
  if (existsSync(folder)) return folder;
  const temporary = mkdtempSync(`${folder}.new-`);
  try {
    const root = join(temporary, 'root');
    mkdirSync(root);
    note(`fetching ${packages[0] ?? name} from Debian`);
    await download(temporary, packages);
    for (const deb of globSync('*.deb', { cwd: temporary })) await run(['/usr/bin/dpkg-deb', '-x', join(temporary, deb), root]);
    // Renamed when whole: a killed run leaves nothing that looks finished.
    renameSync(root, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** Somebody else's apt-get may hold the lock of the package lists or be replacing them right now: tried again before it counts. */
async function download(folder: string, packages: readonly string[]): Promise<void> {
  const options = ['-q', '-o', 'Acquire::Retries=1'];
  let problem = '';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    // As root apt drops its rights, and cannot write here then: it warns and goes on as root.
    const { code, stderr } = await tryRun(['/usr/bin/apt-get', 'download', ...options, ...packages], { cwd: folder });
    if (code === 0) return;
    problem = stderr.trim();
    if (attempt > 1) await delay(pauseMs);
    await tryRun(['/usr/bin/apt-get', 'update', ...options]);
  }
  throw new LabError('ENEED', `apt-get cannot fetch ${packages.join(' ')} from Debian's archive: ${problem.split('\n').at(-1) ?? ''}; look at: apt-get update`);
}
