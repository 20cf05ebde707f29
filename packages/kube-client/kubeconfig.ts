// A kubeconfig is read once, at start: files and inline data become PEM text, so that nothing is read later from another
// directory or namespace.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** What is needed to talk to one API server as one user. PEM texts, not paths. */
export interface ClusterAccess {
  /** `https://host:port`, perhaps with a path prefix; no trailing slash. */
  readonly server: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  /** The context's namespace; `default` when it names none. */
  readonly namespace: string;
}

export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
  readonly code = 'EKUBECONFIG';
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function text(from: Fields, name: string): string | undefined {
  const value = from[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function named(document: Fields, list: string, entry: string, name: string, where: string): Fields {
  const entries: unknown = document[list];
  const found = Array.isArray(entries) ? entries.map(fields).find((item) => item['name'] === name) : undefined;
  if (found === undefined) throw new KubeconfigError(`${where}: ${list} has no entry named "${name}"; add it or choose another context`);
  return fields(found[entry]);
}

/** Inline base64 data wins over a file name, as in client-go; file names are relative to the kubeconfig. */
function pem(from: Fields, name: string, directory: string, where: string): string | undefined {
  const inline = text(from, `${name}-data`);
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
  const file = text(from, name);
  return file === undefined ? undefined : readText(resolve(directory, file), `${where}: ${name}`);
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`${what}: cannot read ${path} (${error instanceof Error ? error.message : String(error)}); check the path and its permissions`, { cause: error });
  }
}

export interface KubeconfigOptions {
  /** Context to use; default `current-context`. */
  readonly context?: string;
  /** Where relative file names start; default the current directory. */
  readonly directory?: string;
  /** How errors call this document; default `kubeconfig`. */
  readonly where?: string;
}

/** Parses the text of a kubeconfig (YAML or JSON). Throws KubeconfigError naming the field. */
export function parseKubeconfig(source: string, options: KubeconfigOptions = {}): ClusterAccess {
  const where = options.where ?? 'kubeconfig';
  const directory = options.directory ?? '.';
  let parsed: unknown;
  try {
    parsed = parse(source);
  } catch (error) {
    throw new KubeconfigError(`${where}: not YAML (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
  const document = fields(parsed);
  const contextName = options.context ?? text(document, 'current-context');
  if (contextName === undefined) throw new KubeconfigError(`${where}: current-context is empty; set it or pass a context`);
  const context = named(document, 'contexts', 'context', contextName, where);
  const cluster = named(document, 'clusters', 'cluster', text(context, 'cluster') ?? '', where);
  const userName = text(context, 'user');
  const user = userName === undefined ? {} : named(document, 'users', 'user', userName, where);
  const server = text(cluster, 'server');
  if (server === undefined) throw new KubeconfigError(`${where}: clusters["${text(context, 'cluster') ?? ''}"].cluster.server is missing`);
  if (!/^https?:\/\//.test(server)) throw new KubeconfigError(`${where}: server "${server}" must start with https:// (or http://)`);
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw new KubeconfigError(`${where}: user "${userName ?? ''}" asks for a credential plugin, which Podwire does not run; use a client certificate or a token`);
  }
  const tokenFile = text(user, 'tokenFile');
  const token = text(user, 'token') ?? (tokenFile === undefined ? undefined : readText(resolve(directory, tokenFile), `${where}: tokenFile`).trim());
  const ca = pem(cluster, 'certificate-authority', directory, where);
  const cert = pem(user, 'client-certificate', directory, where);
  const key = pem(user, 'client-key', directory, where);
  if ((cert === undefined) !== (key === undefined)) throw new KubeconfigError(`${where}: client-certificate and client-key must be given together`);
  const tlsServerName = text(cluster, 'tls-server-name');
  const username = text(user, 'username');
  const password = text(user, 'password');
  return Object.freeze({
    server: server.replace(/\/+$/, ''),
    namespace: text(context, 'namespace') ?? 'default',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecureSkipTlsVerify: true } : {}),
  });
}

/** Reads and parses a kubeconfig file. */
export function loadKubeconfig(path: string, options: { readonly context?: string } = {}): ClusterAccess {
  return parseKubeconfig(readText(path, 'kubeconfig'), { ...options, directory: dirname(resolve(path)), where: path });
}

/** What a pod's service account gives it: /var/run/secrets/kubernetes.io/serviceaccount and two environment variables. */
export function inClusterAccess(env: NodeJS.ProcessEnv = process.env, directory = '/var/run/secrets/kubernetes.io/serviceaccount'): ClusterAccess {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined) throw new KubeconfigError('no kubeconfig given and not inside a pod (KUBERNETES_SERVICE_HOST is not set); pass --kubeconfig FILE');
  return Object.freeze({
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readText(`${directory}/ca.crt`, 'service account CA'),
    token: readText(`${directory}/token`, 'service account token').trim(),
    namespace: readText(`${directory}/namespace`, 'service account namespace').trim(),
  });
}
