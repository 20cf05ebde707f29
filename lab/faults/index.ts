// Faults by name: broken on purpose, and put right again by the same name. See README.md.
import { adminClient } from '../cluster/client.ts';
import { LabError } from '../errors.ts';
import { nodeNetns } from '../node-command.ts';
import { run } from '../processes/run.ts';
import { nodeName } from '../state/names.ts';
import type { Lab } from '../state/existing.ts';
import { up } from '../up.ts';
import { faultNamed } from './catalogue.ts';
import { activeFaults, writeFaults } from './ledger.ts';
import { faultId } from './model.ts';
import type { AppliedFault, Fault, FaultContext, FaultParams } from './model.ts';
import { setOverlay } from './overlay-pause.ts';

export { faults } from './catalogue.ts';
export { activeFaults } from './ledger.ts';
export type { AppliedFault, Fault, FaultParams } from './model.ts';

export type FaultFlags = Partial<FaultParams>;

function nodesOf({ spec }: Lab): readonly string[] {
  return Array.from({ length: spec.nodes }, (_, at) => nodeName(at + 1));
}

/** What was not said is the first node, and the next one as its peer. */
export function completeParams(lab: Lab, fault: Fault, flags: FaultFlags): FaultParams {
  const nodes = nodesOf(lab);
  const node = flags.node ?? nodes[0] ?? '';
  const peer = flags.peer ?? nodes.find((name) => name !== node) ?? '';
  for (const name of [node, ...(fault.uses.includes('peer') ? [peer] : [])]) if (!nodes.includes(name)) throw new LabError('EUSAGE', `fault ${fault.name}: no node '${name}' in this lab; there are: ${nodes.join(', ')}`);
  if (fault.uses.includes('peer') && node === peer) throw new LabError('EUSAGE', `fault ${fault.name}: --node and --peer are both ${node}; name two nodes`);
  if (fault.needsVxlan === true && lab.spec.networkMode !== 'vxlan') throw new LabError('EUSAGE', `fault ${fault.name}: this lab has plain routes between its nodes (${lab.spec.networkMode}); bring one up with: podwire up --network-mode vxlan`);
  const { port = 80, protocol = 'tcp', mtu = 1000 } = flags;
  if (mtu < 68 || mtu > 65_535) throw new LabError('EUSAGE', `fault ${fault.name}: --mtu ${mtu} is not from 68 to 65535`);
  if (port < 1 || port > 65_535) throw new LabError('EUSAGE', `fault ${fault.name}: --port ${port} is not from 1 to 65535`);
  return { node, peer, port, protocol, mtu };
}

async function withContext<T>(lab: Lab, work: (context: FaultContext) => Promise<T>): Promise<T> {
  const client = adminClient(lab.names);
  const netns = (node: string): Promise<string> => nodeNetns(lab.names, lab.spec, node);
  try {
    return await work({
      lab, client,
      inside: async (node, argv) => run(['/usr/bin/nsenter', `--net=${await netns(node)}`, '--', ...argv]),
      isUp: async (node) => {
        try {
          await netns(node);
          return true;
        } catch (error) {
          if (error instanceof LabError && error.code === 'ENOLAB') return false;
          throw error;
        }
      },
    });
  } finally {
    client.close();
  }
}

const pausedBy = ({ name, params }: AppliedFault): readonly string[] => faultNamed(name).pauses?.(params) ?? [];

/** Breaks it. A fault that is in force already is applied again with what was saved the first time. */
export async function applyFault(lab: Lab, name: string, flags: FaultFlags = {}): Promise<AppliedFault> {
  const fault = faultNamed(name);
  const params = completeParams(lab, fault, flags);
  const id = faultId({ name, params }, fault.uses);
  return withContext(lab, async (context) => {
    try {
      const active = activeFaults(lab.names);
      const known = active.find((one) => one.name === name && faultId(one, fault.uses) === id);
      const entry = known ?? { name, params, saved: await fault.observe(context, params) };
      if (known === undefined) writeFaults(lab.names, [...active, entry]);
      for (const node of pausedBy(entry)) await setOverlay({ client: context.client, names: lab.names, node, state: 'paused' });
      await fault.apply(context, params, entry.saved);
      return entry;
    } catch (error) {
      throw failure(error, `fault ${name} on ${params.node}`, `take back what was done of it with: podwire fault --undo ${name}`);
    }
  });
}

export interface UndoSelection {
  /** A fault's name, or `all`. */
  readonly name: string;
  readonly node?: string;
}

/** Puts right what these faults broke, last one first. Says which it were; none is success too. */
export async function undoFaults(lab: Lab, { name, node }: UndoSelection): Promise<readonly AppliedFault[]> {
  if (name !== 'all') faultNamed(name);
  const chosen = activeFaults(lab.names).filter((one) => (name === 'all' || one.name === name) && (node === undefined || one.params.node === node)).toReversed();
  // First what `up` starts: the others may need the API server, the engine or the node.
  if (chosen.some((one) => faultNamed(one.name).undoneByUp === true)) await up({ stateDir: lab.names.stateDir }, () => undefined);
  for (const entry of chosen) await withContext(lab, (context) => undoOne(context, entry));
  return chosen;
}

async function undoOne(context: FaultContext, entry: AppliedFault): Promise<void> {
  const { lab } = context;
  const fault = faultNamed(entry.name);
  try {
    // A node that is down lost its network, and with it what was changed there.
    const isKernel = fault.pauses !== undefined || fault.name === 'nft-drop';
    if (!isKernel || (await context.isUp(entry.params.node))) await fault.undo(context, entry.params, entry.saved);
    const id = faultId(entry, fault.uses);
    const others = activeFaults(lab.names).filter((one) => one.name !== entry.name || faultId(one, fault.uses) !== id);
    const stillPaused = new Set(others.flatMap(pausedBy));
    for (const node of pausedBy(entry)) if (!stillPaused.has(node)) await setOverlay({ client: context.client, names: lab.names, node, state: 'working' });
    writeFaults(lab.names, others);
  } catch (error) {
    throw failure(error, `fault ${entry.name} on ${entry.params.node} is not undone`, 'start what is missing with podwire up, then try again');
  }
}

function failure(error: unknown, what: string, remedy: string): LabError {
  if (error instanceof LabError && error.code === 'EUSAGE') return error;
  return new LabError('EFAILED', `${what}: ${error instanceof Error ? error.message : String(error)}; ${remedy}`, { cause: error });
}
