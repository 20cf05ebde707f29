import { fileURLToPath } from 'node:url';

/** Where built images and fetched packages are kept between labs: `.cache` beside the source, out of git. */
export function cacheDir(): string {
  return process.env['PODWIRE_CACHE_DIR'] ?? fileURLToPath(new URL('../../.cache', import.meta.url));
}
