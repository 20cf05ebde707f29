// The files of an image as data, and as a tar that is the same byte for byte whenever it is built: entries sorted, times zero, owner root.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

export type Entry =
  | { readonly kind: 'text'; readonly path: string; readonly text: string; readonly mode?: number }
  /** A file of this machine. */
  | { readonly kind: 'file'; readonly path: string; readonly source: string; readonly mode?: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'dir'; readonly path: string; readonly mode?: number };

/** Names what the tree holds without reading large files: a file counts by its real path, size and time of change. */
export function treeKey(recipe: string, entries: readonly Entry[]): string {
  const hash = createHash('sha256').update(recipe);
  for (const entry of sorted(entries)) {
    hash.update(`\0${entry.kind}\0${entry.path}\0`);
    if (entry.kind === 'text') hash.update(entry.text);
    else if (entry.kind === 'link') hash.update(entry.target);
    else if (entry.kind === 'file') {
      const { size, mtimeMs } = statSync(entry.source);
      hash.update(`${realpathSync(entry.source)} ${size} ${mtimeMs}`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function sorted(entries: readonly Entry[]): readonly Entry[] {
  return [...withParents(entries)].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Adds the folders that the entries lie in. */
function withParents(entries: readonly Entry[]): readonly Entry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    for (let parent = dirname(path); parent !== '.' && parent !== '/'; parent = dirname(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'dir', path: parent });
    }
  }
  return [...byPath.values()];
}

/** Writes the tar beside its name and renames it: no reader ever sees half of it. */
export async function writeTar(file: string, entries: readonly Entry[]): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  const archive = pack();
  const written = pipeline(archive, createWriteStream(temporary));
  try {
    for (const entry of sorted(entries)) await addEntry(archive, entry);
    archive.finalize();
    await written;
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function addEntry(archive: ReturnType<typeof pack>, entry: Entry): Promise<void> {
  const common = { name: entry.path, mtime: new Date(0), uid: 0, gid: 0, uname: 'root', gname: 'root' };
  if (entry.kind === 'dir') archive.entry({ ...common, type: 'directory', mode: entry.mode ?? 0o755 });
  else if (entry.kind === 'link') archive.entry({ ...common, type: 'symlink', linkname: entry.target });
  else if (entry.kind === 'text') archive.entry({ ...common, mode: entry.mode ?? 0o644 }, entry.text);
  else {
    const { size, mode } = statSync(entry.source);
    const stream = archive.entry({ ...common, size, mode: entry.mode ?? (mode & 0o777) });
    await pipeline(createReadStream(entry.source), stream);
  }
}
