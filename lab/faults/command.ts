// `podwire fault`.
import { LabError } from '../errors.ts';
import { table } from '../table.ts';
import type { Lab } from '../state/existing.ts';
import { faultText } from './catalogue.ts';
import { activeFaults, applyFault, faults, undoFaults } from './index.ts';
import type { AppliedFault, FaultFlags } from './index.ts';

export interface FaultCommand {
  readonly fault?: string;
  readonly undo?: string;
  readonly list: boolean;
  readonly flags: FaultFlags;
}

const listText = (active: readonly AppliedFault[]): string => [
  table(['FAULT', 'TAKES', 'WHAT BREAKS'], faults.map(({ name, uses, summary }) => [name, uses.map((key) => `--${key}`).join(' '), summary])),
  active.length === 0 ? 'in force: none' : `in force:\n${active.map((one) => `  ${faultText(one)}`).join('\n')}`,
].join('\n\n');

/** Applies, undoes or lists; prints what it did. */
export async function faultCommand(lab: Lab, { fault, undo, list, flags }: FaultCommand): Promise<void> {
  const say = (line: string): void => { process.stdout.write(`${line}\n`); };
  if ([fault, undo, list ? 'list' : undefined].filter((one) => one !== undefined).length !== 1) throw new LabError('EUSAGE', 'say one of: podwire fault NAME, podwire fault --undo NAME (or all), podwire fault --list');
  if (fault !== undefined) {
    say(`in force: ${faultText(await applyFault(lab, fault, flags))}`);
    say(`undo it with: podwire fault --undo ${fault}`);
  } else if (undo !== undefined) {
    const undone = await undoFaults(lab, { name: undo, ...(flags.node === undefined ? {} : { node: flags.node }) });
    say(undone.length === 0 ? `${undo === 'all' ? 'no fault is' : `${undo} is not`} in force; nothing to undo` : undone.map((one) => `undone: ${faultText(one)}`).join('\n'));
  } else say(listText(activeFaults(lab.names)));
}
