// Building and loading: a recipe becomes a tar in the cache, the tar becomes an image in the engine by `docker import`. Both steps are
// skipped when their result is there already; the image's label says which content it has.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { ifFound } from '../engine/client.ts';
import { LabError } from '../errors.ts';
import { cacheDir } from './cache.ts';
import { writeTar } from './tree.ts';
import type { Recipe } from './recipe.ts';

export const contentLabel = 'podwire.io/content';

function slug(name: string): string {
  return name.replaceAll(/[/:]/gu, '-');
}

/** The image's tar in the cache, made when it is not there. */
export async function buildImage(recipe: Recipe, note: (text: string) => void): Promise<string> {
  const key = recipe.key();
  const folder = join(cacheDir(), 'images');
  const file = join(folder, `${slug(recipe.name)}-${key}.tar`);
  if (existsSync(file)) return file;
  note(`building ${recipe.name}`);
  await writeTar(file, await recipe.entries(note));
  for (const old of globSync(`${slug(recipe.name)}-*.tar`, { cwd: folder })) if (join(folder, old) !== file) rmSync(join(folder, old), { force: true });
  return file;
}

/** Makes sure the engine has this image with this content. Says whether it had to be loaded. */
export async function ensureImage(docker: Docker, recipe: Recipe, note: (text: string) => void): Promise<'present' | 'loaded'> {
  const key = recipe.key();
  const content = createHash('sha256').update(key).update(JSON.stringify(recipe.changes)).digest('hex').slice(0, 16);
  const image = await ifFound(docker.getImage(recipe.name).inspect());
  // The types say Labels is always there; engines leave it null for an image without labels.
  const labels = image?.Config.Labels as Readonly<Record<string, string>> | null | undefined;
  if (labels?.[contentLabel] === content) return 'present';
  const tar = await buildImage(recipe, note);
  note(`loading ${recipe.name}`);
  await importTar(docker, tar, recipe, content);
  return 'loaded';
}

/** docker import --change ... TAR NAME */
async function importTar(docker: Docker, tar: string, recipe: Recipe, content: string): Promise<void> {
  const [repo = '', tag = 'latest'] = recipe.name.split(':');
  const options = { repo, tag, changes: [...recipe.changes, `LABEL ${contentLabel}=${content}`] };
  // The types give only the callback form a result, and no list of changes.
  const importImage = docker.importImage.bind(docker) as unknown as (file: NodeJS.ReadableStream, options: object) => Promise<AsyncIterable<Buffer>>;
  let text = '';
  for await (const chunk of await importImage(createReadStream(tar), options)) text += chunk.toString('utf8');
  if (text.includes('"error"')) throw new LabError('EFAILED', `${recipe.name}: the Docker engine does not import it: ${text.trim()}`);
}
