import { accessSync, constants, mkdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

export type ApiServerOptions = Readonly<{
  /** Holds the store and the PKI. */
  dataDir: string;
  bindAddress: string;
  /** 0 picks a free port. */
  securePort: number;
  /** The address under which pods and nodes reach this server. */
  advertiseAddress: string;
  /** One or two CIDRs, comma-separated on the command line. */
  serviceClusterIpRanges: readonly string[];
  serviceNodePortRange: Readonly<{ from: number; to: number }>;
  clusterCidrs: readonly string[];
  /** Ranges for Services of type LoadBalancer; none: they stay pending. */
  loadBalancerCidrs?: readonly string[];
  /** Further names and addresses for the serving certificate. */
  extraNames: readonly string[];
  controllers: boolean;
  authorizationMode: 'AlwaysAllow' | 'RBAC';
  /** Where to write the admin's kubeconfig; left out: DATA_DIR/kubeconfig. */
  kubeconfigPath?: string;
  /** A bearer token that is admin. */
  adminToken?: string;
  auditLogPath?: string;
  /** etcd endpoints instead of the embedded store. */
  etcdServers?: readonly string[];
}>;

/** A mistake of whoever starts the server: the text names the option, what is wrong and the remedy. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const defaultOptions = {
  bindAddress: '127.0.0.1', securePort: 6443, serviceClusterIpRanges: ['10.96.0.0/16'], serviceNodePortRange: { from: 30000, to: 32767 },
  clusterCidrs: ['10.244.0.0/16'], extraNames: [], controllers: true, authorizationMode: 'AlwaysAllow',
} as const;

const cidrs = (flag: string, text: string): string[] => {
  const list = text.split(',').map((each) => each.trim()).filter((each) => each !== '');
  if (list.length === 0 || list.length > 2) throw new UsageError(`${flag}: ${JSON.stringify(text)} must be one CIDR, or two of different families separated by a comma, e.g. 10.96.0.0/16,fd00:96::/112`);
  const families = new Set(list.map((each) => {
    if (!ipaddr.isValidCIDR(each)) throw new UsageError(`${flag}: ${JSON.stringify(each)} is not a CIDR; write it like 10.96.0.0/16`);
    const [address, bits] = ipaddr.parseCIDR(each);
    const network = address.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(each) : ipaddr.IPv6.networkAddressFromCIDR(each);
    if (network.toNormalizedString() !== address.toNormalizedString()) throw new UsageError(`${flag}: ${each} has host bits set; did you mean ${network.toString()}/${bits}?`);
    return address.kind();
  }));
  if (families.size !== list.length) throw new UsageError(`${flag}: ${text} has two CIDRs of the same family; give one IPv4 and one IPv6`);
  return list;
};

const integer = (flag: string, text: string, from: number, to: number): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to) throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a number from ${from} to ${to}`);
  return value;
};

const address = (flag: string, text: string): string => {
  if (isIP(text) === 0) throw new UsageError(`${flag}: ${JSON.stringify(text)} is not an IP address`);
  return text;
};

/** The first address of this machine that others can reach; loopback when there is none. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

/** Checks the flags of `podwire apiserver` and fills in the rest. Throws UsageError. */
export function checkOptions(flags: Readonly<Record<string, string | boolean | undefined>>): ApiServerOptions {
  const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined);
  const dataDir = text('dataDir');
  if (dataDir === undefined) throw new UsageError('--data-dir is required: the directory for the store and the certificates');
  const bindAddress = address('--bind-address', text('bindAddress') ?? defaultOptions.bindAddress);
  const ports = /^(\d+)-(\d+)$/.exec(text('serviceNodePortRange') ?? '30000-32767');
  const [from, to] = [Number(ports?.[1]), Number(ports?.[2])];
  if (ports === null || from < 1 || to > 65535 || from > to) throw new UsageError(`--service-node-port-range: ${JSON.stringify(text('serviceNodePortRange'))} is not a port range like 30000-32767`);
  const mode = text('authorizationMode') ?? defaultOptions.authorizationMode;
  if (mode !== 'AlwaysAllow' && mode !== 'RBAC') throw new UsageError(`--authorization-mode: ${JSON.stringify(mode)} is unknown; use AlwaysAllow or RBAC`);
  const anywhere = bindAddress === '0.0.0.0' || bindAddress === '::';
  return {
    dataDir, bindAddress, authorizationMode: mode,
    securePort: integer('--secure-port', text('securePort') ?? String(defaultOptions.securePort), 0, 65535),
    advertiseAddress: address('--advertise-address', text('advertiseAddress') ?? (anywhere ? ownAddress() : bindAddress)),
    serviceClusterIpRanges: cidrs('--service-cluster-ip-range', text('serviceClusterIpRange') ?? defaultOptions.serviceClusterIpRanges.join()),
    serviceNodePortRange: { from, to },
    clusterCidrs: cidrs('--cluster-cidr', text('clusterCidr') ?? defaultOptions.clusterCidrs.join()),
    extraNames: (text('tlsSans') ?? '').split(',').filter((name) => name !== ''),
    controllers: flags['controllers'] !== false,
    ...optional('kubeconfigPath', text('kubeconfig')), ...optional('adminToken', text('adminToken')), ...optional('auditLogPath', text('auditLogPath')),
    ...(text('loadBalancerCidr') !== undefined && { loadBalancerCidrs: cidrs('--load-balancer-cidr', text('loadBalancerCidr') ?? '') }),
    ...(text('etcdServers') !== undefined && { etcdServers: (text('etcdServers') ?? '').split(',') }),
  };
}

const optional = (key: string, value: string | undefined): Record<string, string> => (value === undefined ? {} : { [key]: value });

/** Throws UsageError when the directory cannot be made or written. */
export function ensureDataDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new UsageError(`--data-dir ${path}: ${cause instanceof Error ? cause.message : String(cause)}; give a directory that this user can write to`, { cause });
  }
}
