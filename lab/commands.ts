// What each command does; `main.ts` parses, this acts and prints. Sets process.exitCode to 1 when a check failed.
import { existsSync } from 'node:fs';
import { LabError } from './errors.ts';
import { requireRoot } from './preflight.ts';
import type { Lab } from './state/existing.ts';
import type { UpOptions } from './state/spec.ts';
import type { FaultCommand } from './faults/command.ts';

export interface UpFlags {
  readonly stateDir: string;
  readonly nodes?: number;
  readonly dockerHost?: string;
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  readonly underlayCidr?: string;
  readonly apiPort?: number;
  readonly networkMode?: 'vxlan' | 'host-gw';
  readonly podInterface?: 'bridge' | 'ptp';
  readonly ipFamily?: 'ipv4' | 'dual';
}

export type LabCommand =
  | { readonly name: 'up'; readonly flags: UpFlags }
  | { readonly name: 'down' | 'kubeconfig'; readonly stateDir: string }
  | { readonly name: 'status'; readonly stateDir: string; readonly output: string }
  | { readonly name: 'node'; readonly stateDir: string; readonly node: string; readonly command: readonly string[] }
  | { readonly name: 'matrix'; readonly stateDir: string; readonly output: string; readonly filter?: string; readonly disruptive?: string | true }
  | { readonly name: 'trace'; readonly stateDir: string; readonly from?: string; readonly to?: string; readonly replay?: string; readonly udp: boolean; readonly ipv6: boolean; readonly output: string; readonly size?: number; readonly sourcePort?: number }
  | ({ readonly name: 'fault'; readonly stateDir: string } & FaultCommand)
  | { readonly name: 'walkthrough'; readonly stateDir: string; readonly list: boolean; readonly lesson?: string }
  | { readonly name: 'proxy-show'; readonly stateDir: string; readonly service: string; readonly node?: string }
  | { readonly name: 'proxy-explain'; readonly stateDir: string; readonly words: readonly string[]; readonly node?: string };

const out = (text: string): void => { process.stdout.write(`${text}\n`); };

function upOptions(flags: UpFlags): UpOptions & { readonly dockerHost?: string } {
  const { stateDir, nodes, dockerHost, podCidr, serviceCidr, underlayCidr, apiPort, networkMode, podInterface, ipFamily } = flags;
  return {
    stateDir,
    ...(nodes === undefined ? {} : { nodes }),
    ...(dockerHost === undefined ? {} : { dockerHost }),
    ...(podCidr === undefined ? {} : { podCIDR: podCidr }),
    ...(serviceCidr === undefined ? {} : { serviceCIDR: serviceCidr }),
    ...(underlayCidr === undefined ? {} : { underlayCIDR: underlayCidr }),
    ...(apiPort === undefined ? {} : { apiPort }),
    ...(networkMode === undefined ? {} : { networkMode }),
    ...(podInterface === undefined ? {} : { podInterface }),
    ...(ipFamily === undefined ? {} : { ipFamily }),
  };
}

/** Modules are loaded per command: `kubeconfig` and `node` need not wait for what `up` needs. */
export async function runCommand(command: LabCommand): Promise<void> {
  switch (command.name) {
    case 'up': {
      const { up } = await import('./up.ts');
      const { names, warnings } = await up(upOptions(command.flags));
      for (const warning of warnings) process.stderr.write(`note: ${warning}\n`);
      out(names.kubeconfig);
      return;
    }
    case 'down': {
      const { down } = await import('./down.ts');
      const result = await down(command.stateDir);
      process.stderr.write(result === 'removed' ? 'removed\n' : 'there was no lab here; nothing to remove\n');
      return;
    }
    case 'kubeconfig': {
      const { labNames } = await import('./state/names.ts');
      const { kubeconfig } = labNames(command.stateDir);
      if (!existsSync(kubeconfig)) throw noLab(command.stateDir);
      out(kubeconfig);
      return;
    }
    case 'status': {
      const lab = await requireLab(command.stateDir);
      const { labStatus, statusText } = await import('./status.ts');
      const status = await labStatus(lab.names, lab.spec);
      out(command.output === 'json' ? JSON.stringify(status, null, 2) : statusText(status));
      if (!status.healthy) process.exitCode = 1;
      return;
    }
    case 'node': {
      const lab = await requireLab(command.stateDir);
      const { nodeCommand } = await import('./node-command.ts');
      process.exitCode = await nodeCommand(lab.names, lab.spec, command.node, command.command);
      return;
    }
    case 'matrix': {
      const lab = await requireLab(command.stateDir);
      requireRoot('matrix');
      const { matrixCommand } = await import('./matrix/command.ts');
      process.exitCode = await matrixCommand(lab, { output: command.output, ...(command.filter === undefined ? {} : { filter: command.filter }), ...churnSeconds(command.disruptive) });
      return;
    }
    case 'trace': {
      const { from, to, replay } = command;
      const { replayCommand, traceCommand } = await import('./trace-command.ts');
      if (replay !== undefined) {
        process.exitCode = replayCommand(replay, command.output);
        return;
      }
      if (from === undefined || to === undefined) throw new LabError('EUSAGE', 'say from where to where: podwire trace FROM TO, as in: podwire trace web svc/web');
      const lab = await requireLab(command.stateDir);
      requireRoot('trace');
      process.exitCode = await traceCommand(lab, { ...command, from, to });
      return;
    }
    case 'fault': {
      const lab = await requireLab(command.stateDir);
      requireRoot('fault');
      const { faultCommand } = await import('./faults/command.ts');
      await faultCommand(lab, command);
      return;
    }
    case 'walkthrough': {
      const { walkthroughCommand, walkthroughList } = await import('./walkthroughs/command.ts');
      if (command.list) {
        out(walkthroughList());
        return;
      }
      if (command.lesson === undefined) throw new LabError('EUSAGE', 'say which: podwire walkthrough NAME; podwire walkthrough --list names them');
      const lab = await requireLab(command.stateDir);
      requireRoot('walkthrough');
      process.exitCode = await walkthroughCommand(lab, command.lesson);
      return;
    }
    case 'proxy-show':
    case 'proxy-explain': {
      const lab = await requireLab(command.stateDir);
      requireRoot('proxy');
      const { proxyShow, proxyExplain } = await import('./proxy-command.ts');
      process.exitCode = await (command.name === 'proxy-show' ? proxyShow(lab, command.service, command.node) : proxyExplain(lab, command.words, command.node));
      return;
    }
  }
}

function churnSeconds(flag: string | true | undefined): { readonly churnSeconds?: number } {
  if (flag === undefined) return {};
  const seconds = flag === true ? 120 : Number(flag);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600) throw new LabError('EUSAGE', `--disruptive ${String(flag)}: give whole seconds from 1 to 3600`);
  return { churnSeconds: seconds };
}

function noLab(stateDir: string): LabError {
  return new LabError('ENOLAB', `there is no lab in ${stateDir}; bring one up with: podwire up --state-dir ${stateDir}`);
}

async function requireLab(stateDir: string): Promise<Lab> {
  const { existingLab } = await import('./state/existing.ts');
  const lab = existingLab(stateDir);
  if (lab === undefined) throw noLab(stateDir);
  return lab;
}
