// What the machines of the test get of this source tree: a copy that stays as it is while somebody goes on working here, so that all
// machines and this side's probe have the same one; without what only developers need, because it crosses an emulated network.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../processes/run.ts';

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** Folders of packages that only developers need, as package-lock.json has them. */
export function developerPackages(lockfile: string): readonly string[] {
  const { packages } = JSON.parse(lockfile) as Lockfile;
  return Object.entries(packages).filter(([path, { dev }]) => dev === true && path.startsWith('node_modules/')).map(([path]) => path);
}

/** rsync's exclude patterns, from the top of the tree. Of the cache goes what the machines could not fetch. */
function excludes(lockfile: string): readonly string[] {
  return [
    '/.git', '/.podwire', '/coverage', '/lab/.vagrant', '*.log', '/node_modules/.bin', '/node_modules/.cache',
    ...['include', 'lib', 'share'].map((folder) => `/node_modules/node-linux-*/${folder}`),
    ...developerPackages(lockfile).map((path) => `/${path}`),
    '/.cache/images', '/.cache/compile', '/.cache/go', '/.cache/bin', '/.cache/kernel-*', '/.cache/*.new-*',
  ];
}

/** rsync --archive SOURCE/ TREE */
export async function snapshotTree(source: string, tree: string): Promise<void> {
  mkdirSync(tree, { recursive: true });
  const lockfile = readFileSync(join(source, 'package-lock.json'), 'utf8');
  await run(['/usr/bin/rsync', '--archive', ...excludes(lockfile).map((pattern) => `--exclude=${pattern}`), `${source}/`, tree]);
}
