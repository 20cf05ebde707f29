// What a person may choose. Names and defaults are kube-proxy's (KubeProxyConfiguration v1alpha1) where it has them.

export type DetectLocalMode = 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';

export interface ProxyConfig {
  /** The pods' networks, one or one per family. With detectLocalMode ClusterCIDR: who counts as a pod. */
  readonly clusterCIDRs: readonly string[];
  readonly detectLocalMode: DetectLocalMode;
  readonly bridgeInterface: string;
  readonly interfaceNamePrefix: string;
  readonly masqueradeAll: boolean;
  /** Which bit of the packet mark asks for masquerade, 0..31. */
  readonly masqueradeBit: number;
  /** Addresses that answer node ports: `primary` (the Node's own), or CIDRs. */
  readonly nodePortAddresses: readonly string[];
  /** Addresses in them that no Service has are dropped; added to what the API's ServiceCIDR objects say. */
  readonly serviceCIDRs: readonly string[];
  readonly families: readonly ('ip' | 'ip6')[];
  readonly minSyncPeriodMs: number;
  /** Everything is looked at again this often; 0: never. A look costs one system call when nobody has touched the rules. */
  readonly syncPeriodMs: number;
  /** Services with the label service.kubernetes.io/service-proxy-name are another proxy's, unless it has this value; '' serves those without. */
  readonly serviceProxyName: string;
  /** `address:port`; '' for no server. */
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  /** An update that waits longer makes /healthz answer 503. */
  readonly healthTimeoutMs: number;
  /** nf_conntrack_max = max(min, perCore * cores); both 0: leave it. */
  readonly conntrack: { readonly maxPerCore: number; readonly min: number; readonly tcpEstablishedTimeoutSeconds: number; readonly tcpCloseWaitTimeoutSeconds: number; readonly tcpBeLiberal: boolean; readonly udpTimeoutSeconds: number; readonly udpStreamTimeoutSeconds: number };
  /** Bytes per endpoint in /metrics: turns nf_conntrack_acct on and follows the ends of connections. */
  readonly trafficAccounting: boolean;
  /** Stale UDP flows are forgotten this long after the change: answers on their way still find back. */
  readonly conntrackDelayMs: number;
  /** ... and this much later when they have had no answer yet. */
  readonly conntrackGraceMs: number;
  /** Second step of a removal follows the first after this time. */
  readonly retireDelayMs: number;
}

export const DEFAULT_CONFIG: ProxyConfig = Object.freeze<ProxyConfig>({
  clusterCIDRs: [],
  detectLocalMode: 'ClusterCIDR',
  bridgeInterface: '',
  interfaceNamePrefix: '',
  masqueradeAll: false,
  masqueradeBit: 14,
  nodePortAddresses: ['primary'],
  serviceCIDRs: [],
  families: ['ip', 'ip6'],
  minSyncPeriodMs: 0,
  syncPeriodMs: 60_000,
  serviceProxyName: '',
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  healthTimeoutMs: 60_000,
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeoutSeconds: 0, tcpCloseWaitTimeoutSeconds: 0, tcpBeLiberal: false, udpTimeoutSeconds: 0, udpStreamTimeoutSeconds: 0 },
  trafficAccounting: false,
  conntrackDelayMs: 20,
  conntrackGraceMs: 40,
  retireDelayMs: 20,
});
