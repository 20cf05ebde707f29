import { existsSync } from 'node:fs';
import { labNames } from './names.ts';
import { readSpec } from './spec.ts';
import type { LabNames } from './names.ts';
import type { LabSpec } from './spec.ts';

export interface Lab {
  readonly names: LabNames;
  readonly spec: LabSpec;
}

/** The lab in this directory, for commands that need one. */
export function existingLab(stateDir: string): Lab | undefined {
  const names = labNames(stateDir);
  const spec = readSpec(names);
  return spec === undefined || !existsSync(names.kubeconfig) ? undefined : { names, spec };
}
