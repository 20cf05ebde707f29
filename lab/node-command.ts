// `podwire node NAME -- CMD`: a command of this machine inside a lab node's network.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dockerClient } from './engine/client.ts';
import { LabError } from './errors.ts';
import { nodePid } from './nodes/node-container.ts';
import { nodeName } from './state/names.ts';
import { requireRoot } from './preflight.ts';
import type { LabNames } from './state/names.ts';
import type { LabSpec } from './state/spec.ts';

/** Path of a node's network namespace. Throws a LabError when there is no such node, or it is down. */
export async function nodeNetns(names: LabNames, spec: LabSpec, node: string): Promise<string> {
  const nodes = Array.from({ length: spec.nodes }, (_, at) => nodeName(at + 1));
  if (!nodes.includes(node)) throw new LabError('EUSAGE', `no node '${node}' in this lab; there are: ${nodes.join(', ')}`);
  const pid = spec.engine === undefined ? undefined : await nodePid(dockerClient(spec.engine.host), names, node);
  if (pid === undefined) throw new LabError('ENOLAB', `${node} is down; bring it back with: podwire up`);
  return `/proc/${pid}/ns/net`;
}

/** Runs it with this terminal and gives its exit code. */
export async function nodeCommand(names: LabNames, spec: LabSpec, node: string, command: readonly string[]): Promise<number> {
  requireRoot('node');
  const netns = await nodeNetns(names, spec, node);
  // npm puts node_modules/.bin first, where a program called `nft` is something else.
  const path = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', ...(process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'))].join(':');
  const child = spawn('/usr/bin/nsenter', [`--net=${netns}`, '--', ...command], { stdio: 'inherit', env: { ...process.env, PATH: path } });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => { resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])); });
  });
}
