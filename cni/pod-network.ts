import type { NetworkConfig, RuntimeConfig } from './protocol/config-types.ts';

export interface PodNetworkOptions {
  /** Name of the network; its leases lie in `dataDir/name`. Default `podwire`. */
  readonly name?: string;
  /** One pool per family, as in `Node.spec.podCIDRs`. The first address of each is the gateway. */
  readonly podCIDRs: readonly string[];
  /** Folder of the lease files of this node. */
  readonly dataDir: string;
  /** MTU of bridge and pods; absent: the kernel's 1500. */
  readonly mtu?: number;
  /** Default `bridge`. */
  readonly mode?: 'bridge' | 'ptp';
  /** Default `pw-cni0`. */
  readonly bridge?: string;
  /** Masquerade what leaves the pod's subnet. Default false: the overlay does it for the whole node. */
  readonly ipMasq?: boolean;
  readonly runtimeConfig?: RuntimeConfig;
}

/** The configuration that a Kubernetes node wants: gateway on the bridge, hairpin, default routes through it. */
export function podNetworkConfig(options: PodNetworkOptions): NetworkConfig {
  return {
    cniVersion: '1.1.0',
    name: options.name ?? 'podwire',
    type: 'podwire',
    mode: options.mode ?? 'bridge',
    bridge: options.bridge ?? 'pw-cni0',
    isGateway: true,
    isDefaultGateway: true,
    forceAddress: true,
    ipMasq: options.ipMasq ?? false,
    ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
    hairpinMode: true,
    promiscMode: false,
    macspoofchk: false,
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    vlanKeys: [],
    ipam: {
      type: 'host-local',
      ranges: options.podCIDRs.map((subnet) => [{ subnet }]),
      routes: [],
      dataDir: options.dataDir,
    },
    dns: {},
    runtimeConfig: options.runtimeConfig ?? {},
    pluginPath: [],
    raw: {},
  };
}
