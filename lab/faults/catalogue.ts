import { LabError } from '../errors.ts';
import type { AppliedFault, Fault } from './model.ts';
import { bridgeNfOff, ipForwardOff, linkDown, nftDrop } from './node-faults.ts';
import { dropFdb, dropNeighbour, duplicateVxlanMac, lowMtu, noRoute, rpFilter } from './overlay-faults.ts';
import { agentStop, killAgent, killApiserver, killEngine, nodeKill, nodeStop, staleConntrack } from './process-faults.ts';

export const faults: readonly Fault[] = [
  nftDrop, noRoute, dropFdb, dropNeighbour, rpFilter, ipForwardOff, bridgeNfOff, lowMtu, duplicateVxlanMac, linkDown,
  nodeStop, nodeKill, killApiserver, killAgent, killEngine, agentStop, staleConntrack,
];

export function faultNamed(name: string): Fault {
  const found = faults.find((fault) => fault.name === name);
  if (found === undefined) throw new LabError('EUSAGE', `no fault '${name}'; there are: ${faults.map((fault) => fault.name).join(', ')}`);
  return found;
}

/** As one would type it: `no-route --node node1 --peer node2`. */
export function faultText({ name, params }: AppliedFault): string {
  const uses = faults.find((one) => one.name === name)?.uses ?? [];
  return [name, ...uses.map((key) => `--${key} ${params[key]}`)].join(' ');
}
