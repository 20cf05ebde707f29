// Which faults are in force: DIR/faults.json. An entry is written before its fault is applied, so that one that was interrupted can
// still be undone by name.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LabError } from '../errors.ts';
import type { LabNames } from '../state/names.ts';
import type { AppliedFault } from './model.ts';

const schema = z.array(z.object({
  name: z.string(),
  params: z.object({ node: z.string(), peer: z.string(), port: z.int(), protocol: z.enum(['tcp', 'udp']), mtu: z.int() }),
  saved: z.record(z.string(), z.string()),
}));

const fileOf = ({ stateDir }: LabNames): string => join(stateDir, 'faults.json');

/** In the order in which they were applied. */
export function activeFaults(names: LabNames): readonly AppliedFault[] {
  const file = fileOf(names);
  if (!existsSync(file)) return [];
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new LabError('EFAILED', `${file} is not a list of faults; take the lab down and bring it up again: podwire down --state-dir ${names.stateDir}`, { cause: error });
  }
}

/** Written whole and renamed: a killed command leaves the old list or the new one. */
export function writeFaults(names: LabNames, faults: readonly AppliedFault[]): void {
  const file = fileOf(names);
  if (faults.length === 0) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(names.stateDir, { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(faults, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}
