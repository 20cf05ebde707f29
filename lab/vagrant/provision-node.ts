// The part of provision.sh that needs Podwire: system files, credentials, images, services. Writes one line per change to the file
// that the last argument names. Exit codes: 0 done, 2 it could not.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dockerClient } from '../engine/client.ts';
import { errorText, LabError } from '../errors.ts';
import { ensureImage, nodeImages, podImages } from '../images/index.ts';
import { run, tryRun } from '../processes/run.ts';
import { nodeBundle } from './credentials.ts';
import { checkToken, fetchBundle } from './join.ts';
import { joinPort, parseMachine, paths } from './layout.ts';
import { agentUnit, machineFiles } from './machine-files.ts';
import { putFile } from './put-file.ts';
import type { Bundle } from './join.ts';
import type { Machine } from './layout.ts';
import type { MachineFile } from './machine-files.ts';

const systemctl = '/usr/bin/systemctl';
const isOurs = (name: string): boolean => name.startsWith('podwire-');
/** The first start of the control plane includes its packages. */
const joinTimeoutMs = 180_000;

interface Outcome {
  readonly changed: string[];
  /** Services in the order in which they are (re)started. */
  readonly restart: Set<string>;
}

function putAll(files: readonly MachineFile[], outcome: Outcome): void {
  for (const { path, text, mode, restarts } of files) {
    if (!putFile(path, text, mode)) continue;
    outcome.changed.push(path);
    outcome.restart.add(restarts);
  }
}

/** Enables what is ours and reads changed unit files: one `daemon-reload` for all, it takes an emulated machine a minute. */
async function enableServices(names: readonly string[], outcome: Outcome): Promise<void> {
  for (const name of names.filter(isOurs)) {
    if ((await tryRun([systemctl, 'is-enabled', '--quiet', name])).code !== 0) await run([systemctl, 'enable', '--quiet', '--no-reload', name]);
  }
  if (outcome.restart.size > 0) await run([systemctl, 'daemon-reload']);
}

async function startServices(names: readonly string[], outcome: Outcome): Promise<void> {
  for (const name of names) {
    if (outcome.restart.has(name)) await run([systemctl, 'restart', name]);
    else if (isOurs(name) && (await tryRun([systemctl, 'is-active', '--quiet', name])).code !== 0) {
      await run([systemctl, 'start', name]);
      outcome.changed.push(`${name} started`);
    }
  }
}

async function credentialsOf(machine: Machine, token: string): Promise<Bundle> {
  if (machine.role === 'worker') return fetchBundle(`http://${machine.controlPlaneIP}:${joinPort}`, token, machine.name, { timeoutMs: joinTimeoutMs });
  const bundle = await nodeBundle(machine, machine.name);
  if (bundle === undefined) throw new LabError('EUSAGE', `${machine.name} is not in its own roster`);
  return bundle;
}

async function provision(machine: Machine, token: string): Promise<readonly string[]> {
  const outcome: Outcome = { changed: [], restart: new Set() };
  const files = machineFiles(machine, process.execPath);
  const services = [...new Set(files.map(({ restarts }) => restarts))];
  // The control plane's own services before its agent, and credentials before who needs them.
  if (machine.role === 'control-plane' && putFile(paths.joinToken, `${token}\n`, 0o600)) {
    outcome.changed.push(paths.joinToken);
    outcome.restart.add('podwire-join.service');
  }
  const bundle = machine.role === 'control-plane' ? await credentialsOf(machine, token) : undefined;
  putAll(files, outcome);
  await enableServices(services, outcome);
  await startServices(services.filter((name) => name !== agentUnit), outcome);
  putAll(Object.entries(bundle ?? (await credentialsOf(machine, token))).map(([name, text]) => ({ path: `${paths.credentials}/${name}`, text, mode: 0o600, restarts: agentUnit })), outcome);
  const docker = dockerClient('unix:///run/docker.sock');
  for (const recipe of [...nodeImages, ...podImages]) {
    if ((await ensureImage(docker, recipe, (note) => process.stderr.write(`provision: ${note}\n`))) === 'loaded') outcome.changed.push(`image ${recipe.name}`);
  }
  await startServices([agentUnit], outcome);
  return outcome.changed;
}

try {
  const [resultFile = ''] = process.argv.slice(7);
  const machine = parseMachine(process.argv.slice(2));
  if (!existsSync(resultFile) || readFileSync(resultFile, 'utf8') !== '') throw new LabError('EUSAGE', 'this is a part of lab/vagrant/provision.sh; run that');
  const changed = await provision(machine, checkToken(process.env['PODWIRE_JOIN_TOKEN'] ?? ''));
  writeFileSync(resultFile, changed.map((line) => `${line}\n`).join(''));
} catch (error) {
  process.stderr.write(`provision: ${errorText(error)}\n`);
  process.exitCode = 2;
}
