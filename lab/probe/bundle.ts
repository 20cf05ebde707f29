import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDir } from '../images/cache.ts';

const HERE = import.meta.dirname;

function sources(): readonly string[] {
  const rpc = dirname(fileURLToPath(import.meta.resolve('dgram-rpc')));
  const own = [HERE, rpc].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort().map((name) => join(folder, name)));
  return [...own, fileURLToPath(import.meta.resolve('dns-packet/package.json'))];
}

/** Names the bundle by what it is made from. */
export function probeKey(): string {
  const hash = createHash('sha256');
  for (const file of sources()) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Path of the probe as one CommonJS file that needs nothing but Node: `node PATH client`. Made by esbuild when its sources
 * changed, else taken from the cache.
 */
export function probeBundle(): Promise<string> {
  current ??= makeBundle();
  return current;
}
let current: Promise<string> | undefined;

async function makeBundle(): Promise<string> {
  const folder = join(cacheDir(), 'probe');
  const file = join(folder, `probe-${probeKey()}.cjs`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const { build } = await import('esbuild');
  const temporary = `${file}.${process.pid}.new`;
  await build({ entryPoints: [join(HERE, 'main.ts')], outfile: temporary, bundle: true, platform: 'node', target: 'node24', format: 'cjs', logLevel: 'error' });
  renameSync(temporary, file);
  return file;
}
