// The one fact about a sandbox that the engine cannot tell: that its network is complete, and with which addresses.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SandboxNetwork } from './observed.ts';

const file = 'network.json';

/** Written whole or not at all: an agent killed while attaching finds no record and attaches anew. */
export async function writeNetworkRecord(podDir: string, network: SandboxNetwork): Promise<void> {
  await mkdir(podDir, { recursive: true });
  const temporary = path.join(podDir, `.${file}`);
  await writeFile(temporary, JSON.stringify(network));
  await rename(temporary, path.join(podDir, file));
}

export async function readNetworkRecord(podDir: string): Promise<SandboxNetwork | undefined> {
  try {
    const parsed = JSON.parse(await readFile(path.join(podDir, file), 'utf8')) as Partial<SandboxNetwork>;
    return typeof parsed.sandboxId === 'string' && Array.isArray(parsed.ips) ? { sandboxId: parsed.sandboxId, ips: parsed.ips } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function removeNetworkRecord(podDir: string): Promise<void> {
  await rm(path.join(podDir, file), { force: true });
}
