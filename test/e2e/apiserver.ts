// An API server for one test file, in this process, and the real kubectl pointed at it.
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pino } from 'pino';
import { startApiServer } from '../../apiserver-lite/index.ts';
import type { RunningApiServer } from '../../apiserver-lite/index.ts';
import { background, finish, succeed } from '../helpers/run.ts';
import type { Finished, Running } from '../helpers/run.ts';

const root = join(import.meta.dirname, '..', '..');

export function findKubectl(): string | undefined {
  const built = join(process.env['PODWIRE_CACHE_DIR'] ?? join(root, '.cache'), 'bin/kubectl');
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'));
  return [...onPath, built].find((path) => existsSync(path));
}

/** Further kubectl versions on this machine (`kubectl.1.27`...), beside the one on the PATH. */
export function otherKubectls(): string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => existsSync(join(folder, 'kubectl'))).flatMap((folder) => [folder, dirname(realpathSync(join(folder, 'kubectl')))]);
  return [...new Set(folders)].flatMap((folder) => readdirSync(folder).filter((name) => /^kubectl\.1\.\d+$/.test(name)).sort().map((name) => join(folder, name)));
}

export class ServerUnderTest {
  readonly server: RunningApiServer;
  readonly directory: string;
  readonly #kubectl: string;

  private constructor(server: RunningApiServer, directory: string, kubectl: string) {
    this.server = server;
    this.directory = directory;
    this.#kubectl = kubectl;
  }

  static async start(options: { controllers?: boolean } = {}): Promise<ServerUnderTest> {
    const directory = mkdtempSync(join(tmpdir(), 'apiserver-e2e-'));
    const server = await startApiServer({ dataDir: directory, bindAddress: '127.0.0.1', securePort: 0, controllers: options.controllers ?? false, log: pino({ level: 'silent' }) });
    return new ServerUnderTest(server, directory, findKubectl() ?? 'kubectl');
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The environment of a kubectl; `cache` keeps the discovery of different versions apart. */
  env(cache = 'cache'): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.directory, KUBECONFIG: this.server.kubeconfig, KUBECACHEDIR: join(this.directory, cache) };
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return succeed([this.#kubectl, ...args], { env: this.env(), ...(input !== undefined && { input }) });
  }

  /** Exit code and output, for what must fail. */
  tryKubectl(args: readonly string[], input?: string): Promise<Finished> {
    return finish([this.#kubectl, ...args], { env: this.env(), ...(input !== undefined && { input }) });
  }

  watchKubectl(args: readonly string[]): Running {
    return background([this.#kubectl, ...args], { env: this.env() });
  }
}
