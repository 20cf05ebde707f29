// Flags and KubeProxyConfiguration v1alpha1 in; a frozen ProxyConfig out. Flags win over nothing: as with kube-proxy, a
// --config file makes the other flags of the same things unused.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseCidr } from '../core/address.ts';
import { parseBindAddress } from '../driver/servers.ts';
import { unknownFields } from './known-fields.ts';
import { DEFAULT_CONFIG } from './types.ts';
import type { ProxyConfig } from './types.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ECONFIG';
}

/** A Go duration (`1m30s`, `250ms`) in milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(amount) * (units[unit ?? ''] ?? 0);
  return total;
}

const duration = z.union([z.number(), z.string()]).transform((value, context) => {
  const ms = typeof value === 'number' ? value / 1e6 : parseDuration(value);
  if (ms === undefined) context.addIssue({ code: 'custom', message: `"${value}" is not a duration such as 30s or 1m` });
  return ms ?? 0;
});
const cidrList = z.string().transform((text, context) => {
  const cidrs = text.split(',').map((part) => part.trim()).filter((part) => part !== '');
  for (const cidr of cidrs) if (parseCidr(cidr) === undefined) context.addIssue({ code: 'custom', message: `"${cidr}" is not a CIDR such as 10.244.0.0/16` });
  return cidrs;
});
const addresses = z.array(z.string()).transform((list, context) => {
  for (const entry of list) if (entry !== 'primary' && parseCidr(entry) === undefined) context.addIssue({ code: 'custom', message: `"${entry}" is neither a CIDR nor "primary"` });
  return list.length === 0 ? ['primary'] : list;
});
const bind = z.string().transform((text, context) => {
  if (text === '') return '';
  const full = /:\d+$/.test(text) ? text : `${text}:0`;
  if (parseBindAddress(full) === undefined) context.addIssue({ code: 'custom', message: `"${text}" is not ADDRESS:PORT` });
  return text;
});
const mode = z.enum(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix', '']).transform((value) => (value === '' ? 'ClusterCIDR' as const : value));
const whole = z.number().int().min(0);

/** The parts of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) that mean something here; others are allowed and ignored. */
const fileSchema = z.looseObject({
  apiVersion: z.literal('kubeproxy.config.k8s.io/v1alpha1'),
  kind: z.literal('KubeProxyConfiguration'),
  mode: z.enum(['', 'nftables', 'iptables', 'ipvs']).optional(),
  clusterCIDR: cidrList.optional(),
  hostnameOverride: z.string().optional(),
  detectLocalMode: mode.optional(),
  detectLocal: z.looseObject({ bridgeInterface: z.string().optional(), interfaceNamePrefix: z.string().optional() }).nullish(),
  nodePortAddresses: addresses.nullish(),
  healthzBindAddress: bind.optional(),
  metricsBindAddress: bind.optional(),
  configSyncPeriod: duration.optional(),
  clientConnection: z.looseObject({ kubeconfig: z.string().optional() }).nullish(),
  nftables: z.looseObject({ masqueradeBit: z.number().int().min(0).max(31).nullish(), masqueradeAll: z.boolean().optional(), minSyncPeriod: duration.optional(), syncPeriod: duration.optional() }).nullish(),
  conntrack: z.looseObject({
    maxPerCore: whole.nullish(), min: whole.nullish(), tcpEstablishedTimeout: duration.nullish(), tcpCloseWaitTimeout: duration.nullish(),
    tcpBeLiberal: z.boolean().optional(), udpTimeout: duration.nullish(), udpStreamTimeout: duration.nullish(),
  }).nullish(),
});

export interface FileConfig {
  readonly config: ProxyConfig;
  readonly kubeconfig?: string;
  readonly hostname?: string;
  /** Fields that nobody knows: as with kube-proxy, they are said and ignored. */
  readonly warnings: readonly string[];
}

export function parseConfigFile(text: string, where = 'config file'): FileConfig {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new ConfigError(`${where}: not YAML (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
  const result = fileSchema.safeParse(document);
  if (!result.success) throw new ConfigError(result.error.issues.map((issue) => `${where}: ${issue.path.join('.') || 'document'}: ${issue.message}`).join('\n'));
  const file = result.data;
  if (file.mode === 'iptables' || file.mode === 'ipvs') throw new ConfigError(`${where}: mode: "${file.mode}" is not what Podwire does; set it to nftables, or leave it out`);
  const seconds = (ms: number | null | undefined): number => Math.round((ms ?? 0) / 1000);
  const { conntrack, nftables } = file;
  const config: ProxyConfig = {
    ...DEFAULT_CONFIG,
    ...defined({
      clusterCIDRs: file.clusterCIDR,
      detectLocalMode: file.detectLocalMode,
      bridgeInterface: file.detectLocal?.bridgeInterface,
      interfaceNamePrefix: file.detectLocal?.interfaceNamePrefix,
      nodePortAddresses: file.nodePortAddresses ?? undefined,
      healthzBindAddress: withPort(file.healthzBindAddress, 10256),
      metricsBindAddress: withPort(file.metricsBindAddress, 10249),
      masqueradeBit: nftables?.masqueradeBit ?? undefined,
      masqueradeAll: nftables?.masqueradeAll,
      minSyncPeriodMs: nftables?.minSyncPeriod,
      syncPeriodMs: nftables?.syncPeriod,
    }),
    conntrack: conntrack === undefined || conntrack === null ? DEFAULT_CONFIG.conntrack : {
      maxPerCore: conntrack.maxPerCore ?? 0, min: conntrack.min ?? 0, tcpBeLiberal: conntrack.tcpBeLiberal ?? false,
      tcpEstablishedTimeoutSeconds: seconds(conntrack.tcpEstablishedTimeout), tcpCloseWaitTimeoutSeconds: seconds(conntrack.tcpCloseWaitTimeout),
      udpTimeoutSeconds: seconds(conntrack.udpTimeout), udpStreamTimeoutSeconds: seconds(conntrack.udpStreamTimeout),
    },
  };
  return {
    config: check(config, where),
    warnings: unknownFields(document).map((warning) => `${where}: ${warning}`),
    ...(file.clientConnection?.kubeconfig === undefined || file.clientConnection.kubeconfig === '' ? {} : { kubeconfig: file.clientConnection.kubeconfig }),
    ...(file.hostnameOverride === undefined || file.hostnameOverride === '' ? {} : { hostname: file.hostnameOverride }),
  };
}

export function loadConfigFile(path: string): FileConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`--config ${path}: cannot be read (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
  return parseConfigFile(text, path);
}

/** The flags' values as given (kebab-case names without the dashes). */
export type FlagValues = Readonly<Record<string, string | boolean | undefined>>;

export function parseFlags(flags: FlagValues): ProxyConfig {
  const read = <T>(name: string, schema: z.ZodType<T>): T | undefined => {
    const value = flags[name];
    if (value === undefined) return undefined;
    const result = schema.safeParse(value);
    if (!result.success) throw new ConfigError(`--${name}: ${result.error.issues.map((issue) => issue.message).join('; ')}`);
    return result.data;
  };
  const integer = z.string().regex(/^\d+$/, 'must be a whole number').transform(Number);
  const seconds = (name: string): number => Math.round((read(name, duration) ?? 0) / 1000);
  const list = z.string().transform((text) => text.split(',').map((part) => part.trim()).filter((part) => part !== '')).pipe(addresses);
  const proxyMode = flags['proxy-mode'];
  if (proxyMode !== undefined && proxyMode !== '' && proxyMode !== 'nftables') throw new ConfigError(`--proxy-mode: "${proxyMode}" is not what Podwire does; use nftables`);
  const config: ProxyConfig = {
    ...DEFAULT_CONFIG,
    ...defined({
      clusterCIDRs: read('cluster-cidr', cidrList),
      detectLocalMode: read('detect-local-mode', mode),
      bridgeInterface: read('pod-bridge-interface', z.string()),
      interfaceNamePrefix: read('pod-interface-name-prefix', z.string()),
      masqueradeAll: read('masquerade-all', z.boolean()),
      masqueradeBit: read('masquerade-bit', integer.pipe(z.number().max(31))),
      nodePortAddresses: read('nodeport-addresses', list),
      serviceCIDRs: read('service-cidr', cidrList),
      minSyncPeriodMs: read('min-sync-period', duration),
      syncPeriodMs: read('sync-period', duration),
      healthzBindAddress: withPort(read('healthz-bind-address', bind), 10256),
      metricsBindAddress: withPort(read('metrics-bind-address', bind), 10249),
      serviceProxyName: read('service-proxy-name', z.string()),
      trafficAccounting: read('traffic-accounting', z.boolean()),
    }),
    conntrack: {
      maxPerCore: read('conntrack-max-per-core', integer) ?? 0, min: read('conntrack-min', integer) ?? 0, tcpBeLiberal: flags['conntrack-tcp-be-liberal'] === true,
      tcpEstablishedTimeoutSeconds: seconds('conntrack-tcp-timeout-established'), tcpCloseWaitTimeoutSeconds: seconds('conntrack-tcp-timeout-close-wait'),
      udpTimeoutSeconds: seconds('conntrack-udp-timeout'), udpStreamTimeoutSeconds: seconds('conntrack-udp-timeout-stream'),
    },
  };
  return check(config, 'flags');
}

function check(config: ProxyConfig, where: string): ProxyConfig {
  if (config.detectLocalMode === 'BridgeInterface' && config.bridgeInterface === '') throw new ConfigError(`${where}: detect-local-mode BridgeInterface needs pod-bridge-interface (detectLocal.bridgeInterface)`);
  if (config.detectLocalMode === 'InterfaceNamePrefix' && config.interfaceNamePrefix === '') throw new ConfigError(`${where}: detect-local-mode InterfaceNamePrefix needs pod-interface-name-prefix (detectLocal.interfaceNamePrefix)`);
  for (const name of [config.bridgeInterface, config.interfaceNamePrefix]) if (!/^[^\s/"]{0,15}$/.test(name)) throw new ConfigError(`${where}: "${name}" cannot be an interface's name`);
  return Object.freeze(config);
}

function withPort(text: string | undefined, port: number): string | undefined {
  return text === undefined || text === '' || /:\d+$/.test(text) ? text : `${text.includes(':') ? `[${text}]` : text}:${port}`;
}

function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
