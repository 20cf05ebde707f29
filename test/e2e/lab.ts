// One lab for one test file: its own state directory below the temporary folder, hence its own id, subnet and engine. Brought up
// through the launcher and driven with the real kubectl, as a user does.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labNames } from '@podwire/lab';
import type { LabNames } from '@podwire/lab';
import { background, finish, succeed } from '../helpers/run.ts';
import type { Finished, Running, RunOptions } from '../helpers/run.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const launcher = join(root, 'podwire');

/** Why a lab cannot run here, or undefined when it can. */
export const cannotRunLab: string | undefined = process.getuid?.() === 0 ? undefined : 'a lab needs root';

export function findKubectl(): string {
  const built = join(process.env['PODWIRE_CACHE_DIR'] ?? join(root, '.cache'), 'bin/kubectl');
  const onPath = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'kubectl')).find((path) => existsSync(path));
  return onPath ?? built;
}

export class TestLab {
  readonly stateDir: string;
  readonly names: LabNames;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'podwire-e2e-'));
    this.stateDir = join(this.#folder, 'lab');
    this.names = labNames(this.stateDir);
    this.#env = { ...process.env, KUBECONFIG: this.names.kubeconfig, KUBECACHEDIR: join(this.#folder, 'kube-cache'), NODE_OPTIONS: '' };
  }

  /** ./podwire COMMAND ARGS on this lab, whatever its exit code. */
  podwire(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Finished> {
    return finish([launcher, command, ...args], { env: { ...this.#env, PODWIRE_STATE_DIR: this.stateDir }, ...options });
  }

  /** Brings it up; throws with everything `up` printed when that fails. */
  async up(args: readonly string[] = []): Promise<string> {
    const { code, stdout, stderr } = await this.podwire('up', args);
    if (code !== 0) throw new Error(`podwire up: exit ${code}\n${stderr}\n${stdout}`);
    return stderr;
  }

  /** Takes it down and removes the folder. For `test.after.always`. */
  async remove(): Promise<void> {
    const { code, stderr } = await this.podwire('down');
    rmSync(this.#folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`podwire down: exit ${code}\n${stderr}`);
  }

  /** kubectl's standard output; throws when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string> {
    return succeed([findKubectl(), ...args], { env: this.#env, cwd: root, ...(input === undefined ? {} : { input }) });
  }

  tryKubectl(args: readonly string[], input?: string): Promise<Finished> {
    return finish([findKubectl(), ...args], { env: this.#env, cwd: root, ...(input === undefined ? {} : { input }) });
  }

  backgroundKubectl(args: readonly string[]): Running {
    return background([findKubectl(), ...args], { env: this.#env, cwd: root });
  }

  /** A command in a node's network; its standard output. */
  node(name: string, command: readonly string[]): Promise<string> {
    return succeed([launcher, 'node', '--state-dir', this.stateDir, name, '--', ...command], { env: this.#env });
  }

  /** A command in a container of a pod; its standard output. */
  exec(pod: string, command: readonly string[]): Promise<string> {
    return this.kubectl(['exec', pod, '--', ...command]);
  }

  /** The pid of a part of the lab, from its pid file. */
  pid(service: string): number {
    return (JSON.parse(readFileSync(join(this.names.pidDir, `${service}.json`), 'utf8')) as { readonly pid: number }).pid;
  }
}
