// A real kube-apiserver over a real etcd, for one test or one measurement: both listen on 127.0.0.1 of the network namespace that the
// caller is in (a private one: the ports are fixed), keep their files in one folder, and are gone with it.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeClient } from '@podwire/kube-client';
import type { ClusterAccess } from '@podwire/kube-client';
import { DIE_WITH_ME, SETPRIV, absence, etcdPath, peerPath } from './binaries.ts';

const ETCD = 'http://127.0.0.1:2379';
const SERVER = 'https://127.0.0.1:6443';

/** Users by their token: the administrator, and kube-proxy's own user with the role that every cluster gives it and no more. */
const TOKENS = { admin: 'system:masters', 'system:kube-proxy': '' } as const;
type User = keyof typeof TOKENS;
const tokenOf = (user: User): string => `token-of-${user.replace(':', '-')}`;

export interface KubeApiServerOptions {
  readonly serviceCIDRs?: readonly string[];
  /** The address in the Endpoints of the Service `kubernetes`: one that this namespace has and that is not loopback. */
  readonly advertiseAddress?: string;
  /** Where the folder is made; a memory file system spares a benchmark the disk. */
  readonly parent?: string;
}

export class KubeApiServer implements AsyncDisposable {
  readonly directory: string;
  readonly #options: KubeApiServerOptions;
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(directory: string, options: KubeApiServerOptions) {
    this.directory = directory;
    this.#options = options;
  }

  /** Resolves when it is ready. Throws when the programs are not here (`absence`) or when one of them ends. */
  static async start(options: KubeApiServerOptions = {}): Promise<KubeApiServer> {
    const reason = absence('kube-apiserver');
    if (reason !== undefined) throw new Error(`kube-apiserver: ${reason}`);
    const running = new KubeApiServer(mkdtempSync(join(options.parent ?? tmpdir(), 'pw-kube-apiserver-')), options);
    try {
      running.#writeFiles();
      running.#etcd = running.#spawn(etcdPath ?? '', running.#etcdFlags(), 'etcd');
      await running.#startServer();
    } catch (error) {
      await running[Symbol.asyncDispose]();
      throw error;
    }
    return running;
  }

  access(user: User): ClusterAccess {
    return { server: SERVER, ca: readFileSync(join(this.directory, 'certs/apiserver.crt'), 'utf8'), token: tokenOf(user), namespace: 'default' };
  }

  /** Writes a kubeconfig of this user; the path. */
  kubeconfig(user: User): string {
    const path = join(this.directory, `${user.replace(':', '-')}.kubeconfig`);
    const cluster = { server: SERVER, 'certificate-authority': join(this.directory, 'certs/apiserver.crt') };
    writeFileSync(path, JSON.stringify({
      apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'k', user } }], clusters: [{ name: 'k', cluster }], users: [{ name: user, user: { token: tokenOf(user) } }],
    }));
    return path;
  }

  /** Kills the server as a crash would, and starts it again over the same etcd. */
  async restart(): Promise<void> {
    await end(this.#server);
    await this.#startServer();
  }

  /** etcd forgets every version but the newest. */
  async compact(): Promise<void> {
    const call = async (path: string, body: unknown): Promise<{ header?: { revision?: string } }> => (await fetch(`${ETCD}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })).json() as Promise<{ header?: { revision?: string } }>;
    const { header } = await call('range', { key: Buffer.from('nothing').toString('base64') });
    await call('compaction', { revision: header?.revision, physical: true });
  }

  /** The last lines that the server or etcd wrote. */
  log(program: 'etcd' | 'kube-apiserver' = 'kube-apiserver'): string { return readFileSync(join(this.directory, `${program}.log`), 'utf8').split('\n').slice(-12).join('\n'); }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#server);
    await end(this.#etcd);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #writeFiles(): void {
    mkdirSync(join(this.directory, 'certs'));
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
    writeFileSync(join(this.directory, 'service-account.key'), privateKey, { mode: 0o600 });
    writeFileSync(join(this.directory, 'service-account.pub'), publicKey);
    const users = Object.entries(TOKENS).map(([user, group]) => `${tokenOf(user as User)},${user},${user}${group === '' ? '' : `,${group}`}\n`);
    writeFileSync(join(this.directory, 'tokens.csv'), users.join(''), { mode: 0o600 });
  }

  #etcdFlags(): string[] {
    const peer = 'http://127.0.0.1:2380';
    return ['--data-dir', join(this.directory, 'etcd'), '--listen-client-urls', ETCD, '--advertise-client-urls', ETCD, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`, '--log-level', 'warn'];
  }

  #serverFlags(): string[] {
    const file = (name: string): string => join(this.directory, name);
    return [
      '--etcd-servers', ETCD, '--bind-address', '127.0.0.1', '--secure-port', '6443', '--cert-dir', file('certs'), '--token-auth-file', file('tokens.csv'), '--authorization-mode', 'Node,RBAC',
      '--service-account-issuer', 'https://kubernetes.default.svc', '--service-account-key-file', file('service-account.pub'), '--service-account-signing-key-file', file('service-account.key'),
      '--service-cluster-ip-range', (this.#options.serviceCIDRs ?? ['10.96.0.0/16']).join(','), ...(this.#options.advertiseAddress === undefined ? [] : ['--advertise-address', this.#options.advertiseAddress]),
      '--max-requests-inflight', '0', '--max-mutating-requests-inflight', '0', '--enable-priority-and-fairness=false',
    ];
  }

  #spawn(program: string, flags: readonly string[], name: string): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      return spawn(SETPRIV, [...DIE_WITH_ME, program, ...flags], { stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  async #startServer(): Promise<void> {
    const server = this.#spawn(peerPath('kube-apiserver'), this.#serverFlags(), 'kube-apiserver');
    this.#server = server;
    const deadline = Date.now() + 120_000;
    while (!await this.#isReady()) {
      if (server.exitCode !== null || this.#etcd?.exitCode !== null) throw new Error(`kube-apiserver: it or its etcd has ended:\n${this.log()}\n${this.log('etcd')}`);
      if (Date.now() > deadline) throw new Error(`kube-apiserver: not ready within two minutes:\n${this.log()}`);
      await delay(100);
    }
  }

  async #isReady(): Promise<boolean> {
    let client: KubeClient | undefined;
    try {
      client = new KubeClient(this.access('admin'));
      const { status } = await client.raw('/readyz');
      return status === 200;
    } catch {
      return false; // no certificate yet, or nobody listens yet
    } finally {
      client?.close();
    }
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
