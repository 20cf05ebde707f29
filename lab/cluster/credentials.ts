// Certificates and kubeconfigs: one authority per lab, one user per agent, one administrator. Made once, kept in the state directory,
// written again only when they no longer fit.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createPki, kubeconfigText } from '@podwire/apiserver-lite';
import type { Pair, Pki } from '@podwire/apiserver-lite';
import { nodeDir } from '../state/names.ts';
import { underlayAddresses } from '../state/spec.ts';
import type { LabNames } from '../state/names.ts';
import type { LabSpec } from '../state/spec.ts';

export interface NodeCredentials {
  readonly kubeconfig: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

export function serverURL(spec: LabSpec): string {
  return `https://${underlayAddresses(spec).gateway}:${spec.apiPort}`;
}

export function openPki(names: LabNames): Promise<Pki> {
  return createPki(names.apiserverDir);
}

function keep(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function kubeconfig(spec: LabSpec, pki: Pki, user: string, client: Pair): string {
  return kubeconfigText({ server: serverURL(spec), caCert: pki.caCert, user, client, cluster: 'podwire' });
}

/** DIR/kubeconfig: the administrator, for `kubectl`. */
export async function ensureAdminKubeconfig(names: LabNames, spec: LabSpec, pki: Pki): Promise<void> {
  const client = await pki.ensureClientCert('lab-admin', { commonName: 'podwire-admin', organizations: ['system:masters'] });
  keep(names.kubeconfig, kubeconfig(spec, pki, 'podwire-admin', client));
}

/** What an agent needs to speak to the API server, and to be spoken to by it. */
export async function nodeCredentials(names: LabNames, spec: LabSpec, pki: Pki, node: string, nodeIP: string): Promise<NodeCredentials> {
  const folder = nodeDir(names, node);
  const user = `system:node:${node}`;
  const client = await pki.ensureClientCert(`node-${node}`, { commonName: user, organizations: ['system:nodes'] });
  const serving = await pki.ensureServingCert(`kubelet-${node}`, { commonName: user, organizations: ['system:nodes'], names: [nodeIP, node] });
  const credentials = { kubeconfig: join(folder, 'kubeconfig'), certFile: join(folder, 'serving.crt'), keyFile: join(folder, 'serving.key'), caFile: join(folder, 'ca.crt') };
  keep(credentials.kubeconfig, kubeconfig(spec, pki, user, client));
  keep(credentials.certFile, serving.cert);
  keep(credentials.keyFile, serving.key);
  keep(credentials.caFile, pki.caCert);
  return credentials;
}
