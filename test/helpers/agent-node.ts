// What an agent needs around it: a device with the node's address, our API server on it, credentials and a configuration. The caller has
// moved into a network namespace of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeClient, loadKubeconfig } from '@podwire/kube-client';
import { kubeconfigText, startApiServer } from '@podwire/apiserver-lite';
import type { RunningApiServer } from '@podwire/apiserver-lite';
import { pino } from 'pino';
import { parseAgentConfig } from '../../agent/index.ts';
import type { AgentConfig } from '../../agent/index.ts';
import type { TestEngine } from './engine.ts';
import { succeed } from './run.ts';

export interface AgentNode {
  readonly server: RunningApiServer;
  readonly client: KubeClient;
  /** For an agent that is node1. */
  readonly config: AgentConfig;
}

/** All files lie in the engine's folder and go with it; `client` and `server` are the caller's to close. */
export async function prepareAgentNode(engine: TestEngine, nodeIP: string): Promise<AgentNode> {
  for (const argv of [['link', 'set', 'lo', 'up'], ['link', 'add', 'eth0', 'type', 'bridge'], ['addr', 'add', `${nodeIP}/24`, 'dev', 'eth0'], ['link', 'set', 'eth0', 'up']]) await succeed(['/usr/sbin/ip', ...argv]);
  const folder = join(engine.folder, 'node1');
  mkdirSync(folder, { recursive: true });
  const server = await startApiServer({ dataDir: join(engine.folder, 'api'), bindAddress: nodeIP, securePort: 0, log: pino({ level: 'silent' }) });
  const client = new KubeClient(loadKubeconfig(server.kubeconfig));
  const user = await server.pki.issueClientCert({ commonName: 'system:node:node1', organizations: ['system:nodes'] });
  const serving = await server.pki.issueServingCert({ commonName: 'system:node:node1', names: [nodeIP] });
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const config = parseAgentConfig({
    kubeconfig: file('kubeconfig', kubeconfigText({ server: server.url, caCert: server.pki.caCert, user: 'system:node:node1', client: user })),
    nodeName: 'node1', nodeIp: [nodeIP], rootDir: join(folder, 'root'), dockerHost: engine.host, podInfraContainerImage: engine.pauseImage, clusterId: engine.clusterId,
    tlsCertFile: file('tls.crt', serving.cert), tlsPrivateKeyFile: file('tls.key', serving.key), clientCaFile: server.pki.caPath, underlayDevice: 'eth0', logLevel: 'error',
  });
  return { server, client, config };
}
