// The cluster's DNS on this node: sockets, objects, registration. What does not work yet is tried again until it does.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient, Node, ReadonlyStore, Service } from '@podwire/kube-client';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config.ts';
import { ClusterObjects } from './objects.ts';
import { registerDns } from './registration.ts';
import { startDns } from './server.ts';

export interface ClusterDnsOptions {
  readonly client: KubeClient;
  readonly config: AgentConfig;
  readonly node: Node;
  readonly services: ReadonlyStore<Service>;
  /** The node's own resolvers. */
  readonly resolvers: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const retryMs = 2000;

export async function startClusterDns(options: ClusterDnsOptions): Promise<void> {
  const { client, config, log, signal, node } = options;
  const onError = (error: Error): void => log.debug({ err: error }, 'DNS: watch');
  const objects = new ClusterObjects(client, options.services, signal, onError);
  await objects.synced(signal);
  const zone = config.clusterDomain.toLowerCase();
  await retried('the DNS cannot listen', options, () => startDns({ addresses: config.nodeIp, port: config.dnsPort, zone, objects, resolvers: options.resolvers, log, signal }));
  await retried('the DNS cannot be registered', options, () => registerDns({
    client, nodeName: config.nodeName, nodeUid: node.metadata?.uid ?? '', nodeIPs: config.nodeIp, port: config.dnsPort, serviceCIDRs: config.serviceCidr,
  }));
  log.info({ zone, addresses: config.nodeIp, port: config.dnsPort }, 'the cluster\'s names are served');
}

async function retried(what: string, { log, signal }: ClusterDnsOptions, body: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await body();
      return;
    } catch (error) {
      if ((error as { readonly name?: string }).name === 'AbortError') return;
      log.warn({ err: error }, `${what}: ${error instanceof Error ? error.message : String(error)}; it is tried again`);
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
