// A private Docker engine for one test file, by the lab's own helper, with the small images in it; and a way to take it all away.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerClient } from '../../lab/engine/client.ts';
import { ensurePrivateEngine, privateHost } from '../../lab/engine/private-engine.ts';
import { ensureImage } from '../../lab/images/ensure-images.ts';
import { pause, shell } from '../../lab/images/small.ts';
import { labNames } from '../../lab/state/names.ts';
import { tearDown } from '../../lab/teardown.ts';

export interface TestEngine {
  readonly host: string;
  /** Whose containers the test's are. */
  readonly clusterId: string;
  /** A folder of the test's own. */
  readonly folder: string;
  readonly pauseImage: string;
  readonly shellImage: string;
  remove(): Promise<void>;
}

export const cannotRunEngine: string | undefined = process.getuid?.() === 0 ? undefined : 'a Docker engine of its own needs root';

export async function startTestEngine(): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-engine-'));
  const names = labNames(join(folder, 'lab'));
  const remove = async (): Promise<void> => {
    await tearDown(names, undefined);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ensurePrivateEngine(names);
    const docker = dockerClient(privateHost(names));
    for (const recipe of [pause, shell]) await ensureImage(docker, recipe, () => undefined);
  } catch (error) {
    await remove();
    throw error;
  }
  return { host: privateHost(names), clusterId: names.id, folder, pauseImage: pause.name, shellImage: shell.name, remove };
}
