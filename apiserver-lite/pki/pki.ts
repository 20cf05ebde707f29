import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import type { LeafRequest, Pair } from './certificates.ts';

export type { Pair } from './certificates.ts';

export type ClientRequest = Readonly<{ commonName: string; organizations?: readonly string[] }>;
export type ServingRequest = Readonly<{ commonName: string; organizations?: readonly string[]; names: readonly string[] }>;

export type Pki = Readonly<{
  /** PEM of the cluster's certificate authority. */
  caCert: string;
  caPath: string;
  /** PEM of the key that signs ServiceAccount tokens. */
  serviceAccountKey: string;
  issueClientCert(request: ClientRequest): Promise<Pair>;
  issueServingCert(request: ServingRequest): Promise<Pair>;
  /** Like issueClientCert / issueServingCert, but kept under a name in the data directory and renewed when it no longer fits. */
  ensureClientCert(name: string, request: ClientRequest): Promise<Pair>;
  ensureServingCert(name: string, request: ServingRequest): Promise<Pair>;
}>;

/** Renew when less than this is left. */
const renewBeforeMs = 30 * 24 * 60 * 60 * 1000;

/** The cluster's certificates, under `DIR/pki`. Made when missing; later starts only read files. */
export async function createPki(dataDir: string, nowMs = Date.now()): Promise<Pki> {
  const directory = join(dataDir, 'pki');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const authority = readPair(directory, 'ca') ?? savePair(directory, 'ca', await (await import('./certificates.ts')).createAuthority('podwire-ca', nowMs));
  const issueLeaf = async (request: LeafRequest): Promise<Pair> => (await import('./certificates.ts')).issue(authority, request, Date.now());
  const ensure = async (name: string, request: LeafRequest): Promise<Pair> => {
    const known = readPair(directory, name);
    return known !== undefined && fits(known, authority, request, nowMs) ? known : savePair(directory, name, await issueLeaf(request));
  };
  return {
    caCert: authority.cert,
    caPath: join(directory, 'ca.crt'),
    serviceAccountKey: ensureServiceAccountKey(join(directory, 'sa.key')),
    issueClientCert: (request) => issueLeaf({ ...request, usage: 'client' }),
    issueServingCert: (request) => issueLeaf({ ...request, usage: 'server' }),
    ensureClientCert: (name, request) => ensure(name, { ...request, usage: 'client' }),
    ensureServingCert: (name, request) => ensure(name, { ...request, usage: 'server' }),
  };
}

function fits(pair: Pair, authority: Pair, { commonName, names = [] }: LeafRequest, nowMs: number): boolean {
  const certificate = new X509Certificate(pair.cert);
  const alternatives = certificate.subjectAltName ?? '';
  return Date.parse(certificate.validTo) - nowMs > renewBeforeMs && certificate.subject.includes(`CN=${commonName}`)
    && certificate.checkIssued(new X509Certificate(authority.cert))
    && names.every((name) => (isIP(name) === 0 ? alternatives.split(', ').includes(`DNS:${name}`) : certificate.checkIP(name) !== undefined));
}

function readPair(directory: string, name: string): Pair | undefined {
  const certPath = join(directory, `${name}.crt`);
  const keyPath = join(directory, `${name}.key`);
  if (!existsSync(certPath) || !existsSync(keyPath)) return undefined;
  return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
}

/** The key first: a certificate without its key is never left behind. */
function savePair(directory: string, name: string, pair: Pair): Pair {
  writeAtomically(join(directory, `${name}.key`), pair.key);
  writeAtomically(join(directory, `${name}.crt`), pair.cert);
  return pair;
}

function ensureServiceAccountKey(path: string): string {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
    writeAtomically(path, privateKey);
  }
  return readFileSync(path, 'utf8');
}

export function writeAtomically(path: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}

export type KubeconfigOptions = Readonly<{
  server: string;
  caCert: string;
  user: string;
  client: Pair;
  cluster?: string;
  namespace?: string;
}>;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig with everything inside it. JSON is YAML: every client reads it. */
export function kubeconfigText({ server, caCert, user, client, cluster = 'podwire', namespace = 'default' }: KubeconfigOptions): string {
  const context = `${user}@${cluster}`;
  return [
    'apiVersion: v1', 'kind: Config', 'clusters:', `- name: ${cluster}`, '  cluster:', `    server: ${server}`, `    certificate-authority-data: ${base64(caCert)}`,
    'users:', `- name: ${JSON.stringify(user)}`, '  user:', `    client-certificate-data: ${base64(client.cert)}`, `    client-key-data: ${base64(client.key)}`,
    'contexts:', `- name: ${JSON.stringify(context)}`, '  context:', `    cluster: ${cluster}`, `    user: ${JSON.stringify(user)}`, `    namespace: ${namespace}`,
    `current-context: ${JSON.stringify(context)}`, '',
  ].join('\n');
}

/** Writes a kubeconfig (mode 0600), replacing an older one atomically. */
export function writeKubeconfig(path: string, options: KubeconfigOptions): void {
  writeAtomically(path, kubeconfigText(options));
}
