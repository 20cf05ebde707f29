import type { CniDns, CniResult, CniRoute } from './result.ts';

/** A pool of addresses: `host-local`'s range. Addresses are text; `parseRanges` makes numbers of them. */
export interface IpRangeConfig {
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

export interface IpamConfig {
  /** `host-local` is served in this process; any other name is looked up in CNI_PATH and executed. */
  readonly type: string;
  /** One address is given from each set; the ranges of a set are tried in order. */
  readonly ranges: readonly (readonly IpRangeConfig[])[];
  readonly routes: readonly CniRoute[];
  /** Folder of the lease files; default `/var/lib/cni/networks`. */
  readonly dataDir: string;
  /** A resolv.conf to answer as `dns`. */
  readonly resolvConf?: string;
}

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIP?: string;
}

export interface Bandwidth {
  /** Bits per second, towards the container; 0 means no limit. */
  readonly ingressRate: number;
  /** Bits. */
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
  /** The limits hold only for traffic with these networks, or for all but these; absent: for all. */
  readonly shapedSubnets?: readonly string[];
  readonly unshapedSubnets?: readonly string[];
}

/** What a runtime passes per attachment for the capabilities that the configuration announces. */
export interface RuntimeConfig {
  readonly portMappings?: readonly PortMapping[];
  readonly ips?: readonly string[];
  readonly ipRanges?: readonly (readonly IpRangeConfig[])[];
  readonly mac?: string;
  readonly bandwidth?: Bandwidth;
  readonly dns?: CniDns;
  readonly aliases?: readonly string[];
}

/** A parsed, checked network configuration of our main plugin (mode bridge or ptp). */
export interface NetworkConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly type: string;
  readonly mode: 'bridge' | 'ptp';
  readonly bridge: string;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  readonly ipMasq: boolean;
  /** Absent: the kernel's default. */
  readonly mtu?: number;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  readonly macspoofchk: boolean;
  readonly enabledad: boolean;
  readonly disableContainerInterface: boolean;
  readonly portIsolation: boolean;
  /** Keys about VLANs that ask for something, each with its value: ADD refuses them and says why. */
  readonly vlanKeys: readonly string[];
  readonly ipam?: IpamConfig;
  readonly dns: CniDns;
  readonly runtimeConfig: RuntimeConfig;
  readonly prevResult?: CniResult;
  /** Folders in which a delegated IPAM plugin is looked for (CNI_PATH). */
  readonly pluginPath: readonly string[];
  /** The configuration as it came, for a delegated IPAM plugin. */
  readonly raw: Readonly<Record<string, unknown>>;
}
