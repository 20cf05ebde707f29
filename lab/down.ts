// `podwire down`.
import { existsSync } from 'node:fs';
import { requireRoot } from './preflight.ts';
import { takeLock } from './state/lock.ts';
import { labNames } from './state/names.ts';
import { readSpec } from './state/spec.ts';
import { tearDown } from './teardown.ts';
import { LabError } from './errors.ts';
import type { LabNames } from './state/names.ts';
import type { LabSpec } from './state/spec.ts';

function readableSpec(names: LabNames): LabSpec | undefined {
  try {
    return readSpec(names);
  } catch (error) {
    if (error instanceof LabError) return undefined;
    throw error;
  }
}

/** Removes the lab of this state directory; says whether there seemed to be one. */
export async function down(stateDir: string): Promise<'removed' | 'nothing'> {
  requireRoot('down');
  const names = labNames(stateDir);
  await using _lock = await takeLock(names);
  const wasThere = existsSync(names.stateFile) || existsSync(names.runDir);
  const engine = readableSpec(names)?.engine;
  await tearDown(names, engine?.kind === 'foreign' ? engine.host : undefined);
  return wasThere ? 'removed' : 'nothing';
}
