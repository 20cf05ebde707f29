// The node's part of the cluster's network, in this process: routes to the other nodes (overlay) and Services (proxy).
import type { OverlayHandle } from '@podwire/cni';
import type { KubeClient, Node } from '@podwire/kube-client';
import type { ProxyHandle } from '@podwire/proxy';
import type { Logger } from 'pino';
import type { AgentConfig } from './config.ts';

export interface DataPlane {
  /** What pods' interfaces must have; undefined: the kernel's own default. */
  readonly mtu: number | undefined;
  /** Why pods here cannot reach others; undefined when they can. */
  networkProblem(): string | undefined;
  stop(): Promise<void>;
}

export interface DataPlaneOptions {
  readonly client: KubeClient;
  readonly config: AgentConfig;
  readonly node: Node;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly changed: () => void;
}

const retryMs = 2000;

/** Starts what the node's network needs. A part that cannot start is tried again: without it no pod would work anyway. */
export async function startData(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, log, signal } = options;
  const overlay = config.networkMode === 'none' ? undefined : await retried('overlay', log, signal, () => overlayOf(options, config.networkMode === 'host-gw' ? 'host-gw' : 'vxlan'));
  let synced = overlay === undefined;
  void overlay?.synced.then(() => {
    synced = true;
    options.changed();
  }, () => undefined);
  const proxy = config.proxy ? await retried('proxy', log, signal, () => proxyOf(options)) : undefined;
  return {
    mtu: overlay?.mtu,
    networkProblem: () => (synced ? undefined : 'routes to the other nodes are not in place yet'),
    stop: async () => { await Promise.all([overlay?.stop(), proxy?.stop()]); },
  };
}

async function overlayOf({ client, config, node, log, signal }: DataPlaneOptions, mode: 'vxlan' | 'host-gw'): Promise<OverlayHandle> {
  const { startOverlay } = await import('@podwire/cni');
  return startOverlay({
    client, nodeName: config.nodeName, nodeIPs: config.nodeIp, podCIDRs: podCIDRsOf(node), clusterCIDRs: config.clusterCidr, serviceCIDRs: config.serviceCidr,
    mode, directRouting: config.directRouting, vni: config.vxlanVni, port: config.vxlanPort, txChecksum: config.vxlanTxChecksum, ...(config.mtu === undefined ? {} : { mtu: config.mtu }),
    podInterface: config.podInterface, ...(config.underlayDevice === undefined ? {} : { underlayDevice: config.underlayDevice }),
    log: log.child({ part: 'overlay' }), signal,
  });
}

async function proxyOf({ client, config, log, signal }: DataPlaneOptions): Promise<ProxyHandle> {
  const { startProxy } = await import('@podwire/proxy');
  return startProxy({ client, nodeName: config.nodeName, config: { clusterCIDRs: config.clusterCidr, serviceCIDRs: config.serviceCidr }, log: log.child({ part: 'proxy' }), signal });
}

export function podCIDRsOf(node: Node): readonly string[] {
  return node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR]);
}

async function retried<T>(what: string, log: Logger, signal: AbortSignal, start: () => Promise<T>): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await start();
    } catch (error) {
      log.error({ err: error }, `the ${what} does not start: ${error instanceof Error ? error.message : String(error)}; it is tried again`);
      await new Promise((resolve) => { setTimeout(resolve, retryMs); });
    }
  }
  return undefined;
}
