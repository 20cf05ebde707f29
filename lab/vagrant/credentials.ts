// The control plane's side of joining: every node's certificates from the cluster's own authority. Made once; later calls read them.
import { createPki, kubeconfigText } from '@podwire/apiserver-lite';
import type { Bundle } from './join.ts';
import { paths, serverURL } from './layout.ts';
import type { Machine } from './layout.ts';

/** Names of the files in a node's bundle and in its /etc/podwire. */
export const credentialFiles = { kubeconfig: 'kubeconfig', cert: 'serving.crt', key: 'serving.key', ca: 'ca.crt' } as const;

/** What the agent of `node` needs. undefined: the roster has no such node. */
export async function nodeBundle(machine: Machine, node: string, dataDir: string = paths.apiserver): Promise<Bundle | undefined> {
  const ip = machine.roster.get(node);
  if (ip === undefined) return undefined;
  const pki = await createPki(dataDir);
  const user = `system:node:${node}`;
  const client = await pki.ensureClientCert(`node-${node}`, { commonName: user, organizations: ['system:nodes'] });
  const serving = await pki.ensureServingCert(`kubelet-${node}`, { commonName: user, organizations: ['system:nodes'], names: [ip, node] });
  return {
    [credentialFiles.kubeconfig]: kubeconfigText({ server: serverURL(machine), caCert: pki.caCert, user, client, cluster: 'podwire' }),
    [credentialFiles.cert]: serving.cert,
    [credentialFiles.key]: serving.key,
    [credentialFiles.ca]: pki.caCert,
  };
}
