// The proxy under test in a netlab: objects go into an API server (a fake one, unless told otherwise), packets come out of probes, the
// model is asked alongside.
import { KernelNft } from 'nftables-js';
import { KubeClient, resources } from '@podwire/kube-client';
import { networkInterfaces } from 'node:os';
import { explain, readKernel, startProxy } from '../index.ts';
import type { Outcome, ProxyConfig, ProxyHandle } from '../index.ts';
import { canonicalAddress } from '../core/address.ts';
import { rulesetOptions } from '../driver/proxy.ts';
import { DEFAULT_CONFIG } from '../config/types.ts';
import { fakeClusterApi } from './cluster-api.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ADDRESSES, createNetLab } from './netlab.ts';
import type { NetLab, Probe } from './netlab.ts';
import { node } from './objects.ts';

export interface Question { readonly from: Probe; readonly protocol: 'tcp' | 'udp'; readonly host: string; readonly port: number; readonly count?: number; readonly timeoutMs?: number }

export interface Harness extends AsyncDisposable {
  readonly lab: NetLab;
  readonly api: ClusterApi;
  readonly client: KubeClient;
  proxy: ProxyHandle;
  readonly warnings: string[];
  config: Partial<ProxyConfig>;
  /** Stops the proxy and starts it again; `extra`: with another configuration from now on. */
  restart(extra?: Partial<ProxyConfig>): Promise<void>;
  /** Resolves when everything put so far is in the kernel. */
  synced(): Promise<void>;
  /** The distinct replies, sorted. */
  ask(question: Question): Promise<string[]>;
  /** What the model says the replies may be. */
  predict(question: Question): Promise<string[]>;
}

export const BASE_CONFIG: Partial<ProxyConfig> = { clusterCIDRs: ['10.244.0.0/16', 'fd44::/16'], serviceCIDRs: ['10.96.0.0/16', 'fd96::/112'], healthzBindAddress: '', metricsBindAddress: '' };

/** `startApi` is called in node1's namespace. */
export async function createHarness(extra: Partial<ProxyConfig> = {}, startApi: () => Promise<ClusterApi> = fakeClusterApi): Promise<Harness> {
  const lab = await createNetLab();
  const api = await startApi().catch(async (error: unknown) => {
    await lab[Symbol.asyncDispose]();
    throw error;
  });
  const client = new KubeClient(api.access);
  api.put(resources.nodes, node('node1', ADDRESSES.node1, { metadata: { labels: { 'topology.kubernetes.io/zone': 'zone-a' } } }));
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (_fields: object, message: string) => void warnings.push(message), error: (_fields: object, message: string) => void warnings.push(`error: ${message}`) };
  const start = (config: Partial<ProxyConfig>): Promise<ProxyHandle> => startProxy({ client, nodeName: 'node1', log, config });
  const first = { ...BASE_CONFIG, ...extra };
  const nft = KernelNft.open();
  let markers = 0;
  await api.settled().catch(async (error: unknown) => {
    await api[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
    throw error;
  });
  const harness: Harness = {
    lab, api, client, warnings,
    config: first,
    proxy: await start(first),
    async restart(other) {
      await harness.proxy.stop();
      if (other !== undefined) harness.config = { ...BASE_CONFIG, ...other };
      harness.proxy = await start(harness.config);
      await harness.synced();
    },
    async synced() {
      // The watch has delivered when a marker that was put last has: its own Service appears in the state.
      const marker = `marker-${++markers}`;
      api.put(resources.services, { metadata: { name: marker, namespace: 'zz', ...(harness.config.serviceProxyName === undefined ? {} : { labels: { 'service.kubernetes.io/service-proxy-name': harness.config.serviceProxyName } }) }, spec: { clusterIP: '10.96.255.254', ports: [{ port: 1 }] } });
      api.put(resources.endpointSlices, { metadata: { name: marker, namespace: 'zz', labels: { 'kubernetes.io/service-name': marker } }, addressType: 'IPv4', ports: [{ port: 1 }], endpoints: [{ addresses: ['10.244.250.1'] }] });
      await api.settled();
      const table = harness.proxy.tables[0];
      const deadline = Date.now() + 20_000;
      const follows = async (ends: () => boolean): Promise<void> => {
        while (!ends()) {
          if (Date.now() > deadline) throw new Error(`the proxy did not follow: ${warnings.slice(-5).join('; ')}`);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      await follows(() => table?.state.portsOf(`zz/${marker}`)[0]?.endpoints.size === 1);
      api.remove(resources.services, `zz/${marker}`);
      api.remove(resources.endpointSlices, `zz/${marker}`);
      await api.settled();
      await follows(() => table?.state.portsOf(`zz/${marker}`).length === 0);
      await harness.proxy.waitForSync(AbortSignal.timeout(10_000));
    },
    async ask({ from, protocol, host, port, count = 16, timeoutMs }) {
      return [...new Set(await from.ask({ protocol, host, port, count, ...(timeoutMs === undefined ? {} : { timeoutMs }) }))].sort();
    },
    async predict({ from, protocol, host, port }) {
      const family = host.includes(':') ? 'ip6' : 'ip';
      const view = await readKernel(nft, family);
      if (view === undefined) throw new Error('no table');
      const index = family === 'ip' ? 0 : 1;
      const ruleset = rulesetOptions({ ...DEFAULT_CONFIG, ...harness.config });
      const local = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? []).map(({ address }) => canonicalAddress(address)));
      const source = from.name === 'node1' ? sourceTo(host) : (ADDRESSES[from.name as keyof typeof ADDRESSES][index]);
      const iif = from.name === 'node1' ? {} : { iif: from.name === 'outside' || from.name === 'c' || from.name === 'node2' ? 'eth0' : 'br0' };
      const { outcome } = explain({ source, destination: host, protocol: protocol === 'tcp' ? 6 : 17, port, ...iif }, view.rows, { isLocal: (address) => local.has(address), ruleset });
      return replies(outcome, source, index, from.name === 'node1', protocol);
    },
    async [Symbol.asyncDispose]() {
      await harness.proxy.stop();
      nft.close();
      client.close();
      await api[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
  return harness;
}

/** The address that node1 would use towards a Service address before it is rewritten: by its routes, the underlay's. */
function sourceTo(host: string): string {
  if (host === ADDRESSES.node1[0] || host === ADDRESSES.node1[1]) return host;
  return host.includes(':') ? ADDRESSES.node1[1] : ADDRESSES.node1[0];
}

const PODS = ['a', 'b', 'c'] as const;

function replies(outcome: Outcome, source: string, index: 0 | 1, isNode: boolean, protocol: string): string[] {
  switch (outcome.kind) {
    case 'reject': return isNode && protocol === 'udp' ? ['EPERM'] : ['ECONNREFUSED'];
    case 'drop': return isNode && protocol === 'udp' ? ['EPERM'] : ['ETIMEDOUT'];
    case 'untouched': return ['untouched'];
    case 'endpoints': return outcome.choices.map(({ address, isMasqueraded }) => {
      const name = PODS.find((pod) => ADDRESSES[pod][index] === address) ?? address;
      // Masquerade takes the address of the way out: the bridge's towards pods of this node, the underlay's towards others.
      const out = name === 'c' ? ADDRESSES.node1[index] : index === 0 ? '10.244.1.1' : 'fd44:1::1';
      return `${name}|${isMasqueraded ? out : source}`;
    }).sort();
  }
}
