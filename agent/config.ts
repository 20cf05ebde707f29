// The agent's configuration: one table of flags, parsed once into a frozen object. (A schema library would do the same for 16 MB in every agent.)
import { isIP } from 'node:net';

export interface AgentConfig {
  /** kubeconfig FILE of this node's own user (CN=system:node:NAME). */
  readonly kubeconfig: string;
  readonly nodeName: string;
  /** Addresses of the node, the primary first. */
  readonly nodeIp: readonly string[];
  /** Everything the agent keeps: volumes, sandbox records, leases. */
  readonly rootDir: string;
  /** The engine, as unix:///path. */
  readonly dockerHost: string;
  readonly clusterCidr: readonly string[];
  readonly serviceCidr: readonly string[];
  readonly clusterDomain: string;
  /** Resolver of pods with dnsPolicy ClusterFirst. */
  readonly clusterDns: readonly string[];
  /** Serve the cluster's names on this node; pods then ask the kube-dns Service address unless clusterDns says otherwise. */
  readonly dns: boolean;
  readonly dnsPort: number;
  readonly podInfraContainerImage: string;
  /** Container whose network namespace is the node's (a lab node); without it hostNetwork pods use the machine's namespace. */
  readonly nodeContainer: string | undefined;
  /** Whose containers these are: two clusters on one engine stay apart by it. */
  readonly clusterId: string;
  readonly networkMode: 'vxlan' | 'host-gw' | 'none';
  /** With vxlan: plain routes to nodes on the same L2 network. */
  readonly directRouting: boolean;
  /** Off: the kernel computes the checksums of what goes into VXLAN, for hardware that gets them wrong. */
  readonly vxlanTxChecksum: boolean;
  readonly vxlanVni: number;
  readonly vxlanPort: number;
  /** MTU of pods; the underlay's less the encapsulation when not given. */
  readonly mtu: number | undefined;
  /** Device that carries the overlay; found by the node's address when not given. */
  readonly underlayDevice: string | undefined;
  /** Folder in which `podwire cni install` has put the CNI executables: their calls are served by the agent. */
  readonly cniBinDir: string | undefined;
  /** Attach pods by a bridge or by a routed point-to-point veth. */
  readonly podInterface: 'bridge' | 'ptp';
  readonly proxy: boolean;
  readonly tlsCertFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly clientCaFile: string;
  readonly port: number;
  /** Address the node API listens on; every address of the node's namespace by default. */
  readonly address: string;
  readonly maxPods: number;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly registerNode: boolean;
  /** Folder with manifests of pods that this node runs by itself. */
  readonly podManifestPath: string | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

type Required = 'kubeconfig' | 'nodeName' | 'nodeIp' | 'rootDir' | 'tlsCertFile' | 'tlsPrivateKeyFile' | 'clientCaFile';
/** What a caller gives: the rest has defaults. */
export type AgentConfigInput = Pick<AgentConfig, Required> & Partial<{ readonly [K in keyof AgentConfig]: AgentConfig[K] | undefined }>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'EUSAGE';
}

interface Field {
  readonly kind: 'text' | 'list' | 'number' | 'boolean' | 'map';
  readonly help: string;
  /** Absent: the flag must be given. `undefined` is a default like any other. */
  readonly fallback?: { readonly value: unknown };
  /** What is wrong with a value, or undefined. */
  readonly check?: (value: unknown) => string | undefined;
}

const matching = (pattern: RegExp, what: string) => (value: unknown): string | undefined => (pattern.test(String(value)) ? undefined : `"${String(value)}" ${what}`);
const oneOf = (...words: readonly string[]) => (value: unknown): string | undefined => (words.includes(String(value)) ? undefined : `"${String(value)}" is none of ${words.join(', ')}`);
const between = (least: number, most: number) => (value: unknown): string | undefined =>
  (Number.isInteger(value) && Number(value) >= least && Number(value) <= most ? undefined : `must be a whole number from ${least} to ${most}`);
const addresses = (value: unknown): string | undefined => {
  const bad = (value as readonly string[]).find((one) => isIP(one) === 0);
  return bad === undefined ? undefined : `"${bad}" is not an IP address`;
};
const networks = (value: unknown): string | undefined => {
  const bad = (value as readonly string[]).find((one) => {
    const [address = '', bits = ''] = one.split('/');
    return isIP(address) === 0 || !/^\d+$/u.test(bits) || Number(bits) > (isIP(address) === 4 ? 32 : 128);
  });
  return bad === undefined ? undefined : `"${bad}" is not a network such as 10.244.0.0/16`;
};
const given = (value: unknown): string | undefined => (String(value) === '' ? 'must not be empty' : undefined);

export const fields: { readonly [K in keyof AgentConfig]: Field } = {
  kubeconfig: { kind: 'text', help: 'kubeconfig FILE of this node', check: given },
  nodeName: { kind: 'text', help: 'NAME of the node', check: matching(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/u, 'is not a node name: lower case letters, digits, "-" and "." only') },
  nodeIp: { kind: 'list', help: 'address(es) of the node, comma-separated, the primary first', check: (value) => ((value as readonly string[]).length === 0 ? 'needs at least one address' : addresses(value)) },
  rootDir: { kind: 'text', help: 'DIR for volumes and records', check: given },
  dockerHost: { kind: 'text', help: 'the container engine', fallback: { value: 'unix:///run/docker.sock' }, check: matching(/^unix:\/\/\/.+/u, 'must look like unix:///run/docker.sock') },
  clusterCidr: { kind: 'list', help: 'pod networks of the cluster', fallback: { value: ['10.244.0.0/16'] }, check: networks },
  serviceCidr: { kind: 'list', help: 'Service networks', fallback: { value: ['10.96.0.0/16'] }, check: networks },
  clusterDomain: { kind: 'text', help: 'DNS domain of the cluster', fallback: { value: 'cluster.local' }, check: given },
  clusterDns: { kind: 'list', help: 'resolver(s) of pods; without any, the kube-dns Service (or the node\'s own, with --dns=false)', fallback: { value: [] }, check: addresses },
  dns: { kind: 'boolean', help: 'serve the names of the cluster on this node', fallback: { value: true } },
  dnsPort: { kind: 'number', help: 'port of the node\'s addresses on which it does', fallback: { value: 10_053 }, check: between(1, 65_535) },
  podInfraContainerImage: { kind: 'text', help: 'image of the pause container', fallback: { value: 'podwire/pause:1' }, check: given },
  nodeContainer: { kind: 'text', help: 'ID of the container whose network namespace is the node\'s', fallback: { value: undefined } },
  clusterId: { kind: 'text', help: 'whose containers these are, where clusters share an engine', fallback: { value: 'podwire' }, check: given },
  networkMode: { kind: 'text', help: 'vxlan, host-gw or none', fallback: { value: 'vxlan' }, check: oneOf('vxlan', 'host-gw', 'none') },
  vxlanTxChecksum: { kind: 'boolean', help: 'false: VXLAN packets get their checksum from the kernel, for network cards that compute it wrongly; costs a factor of three', fallback: { value: true } },
  directRouting: { kind: 'boolean', help: 'with vxlan: plain routes to nodes on the same L2 network', fallback: { value: false } },
  vxlanVni: { kind: 'number', help: 'VXLAN network identifier', fallback: { value: 4096 }, check: between(1, 16_777_215) },
  vxlanPort: { kind: 'number', help: 'UDP port of VXLAN', fallback: { value: 8472 }, check: between(1, 65_535) },
  mtu: { kind: 'number', help: 'MTU of pods; computed from the underlay when not given', fallback: { value: undefined }, check: between(576, 65_535) },
  underlayDevice: { kind: 'text', help: 'device that carries the overlay', fallback: { value: undefined } },
  cniBinDir: { kind: 'text', help: 'folder of installed CNI executables (podwire cni install): what other runtimes call there, the agent does', fallback: { value: undefined } },
  podInterface: { kind: 'text', help: 'bridge or ptp', fallback: { value: 'bridge' }, check: oneOf('bridge', 'ptp') },
  proxy: { kind: 'boolean', help: 'run the Service proxy in this process', fallback: { value: true } },
  tlsCertFile: { kind: 'text', help: 'certificate of the node API', check: given },
  tlsPrivateKeyFile: { kind: 'text', help: 'its key', check: given },
  clientCaFile: { kind: 'text', help: 'CA of the node API\'s clients', check: given },
  port: { kind: 'number', help: 'port of the node API', fallback: { value: 10_250 }, check: between(0, 65_535) },
  address: { kind: 'text', help: 'address of the node API', fallback: { value: '0.0.0.0' }, check: (value) => addresses([value]) },
  maxPods: { kind: 'number', help: 'most pods on this node', fallback: { value: 110 }, check: between(1, 1000) },
  nodeLabels: { kind: 'map', help: 'labels of the node, KEY=VALUE,...', fallback: { value: {} } },
  registerNode: { kind: 'boolean', help: 'create the Node if there is none', fallback: { value: true } },
  podManifestPath: { kind: 'text', help: 'folder with manifests of static pods', fallback: { value: undefined } },
  logLevel: { kind: 'text', help: 'debug, info, warn or error', fallback: { value: 'info' }, check: oneOf('debug', 'info', 'warn', 'error') },
};

const types: Readonly<Record<Field['kind'], (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string', number: (value) => typeof value === 'number', boolean: (value) => typeof value === 'boolean',
  list: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'), map: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** Checks and completes a configuration. Throws a ConfigError that names every wrong flag. */
export function parseAgentConfig(input: Readonly<Record<string, unknown>> | AgentConfigInput): AgentConfig {
  const values = input as Readonly<Record<string, unknown>>;
  const known = Object.entries(fields);
  const wrong = Object.keys(values).filter((key) => !known.some(([name]) => name === key)).map((key) => `--${kebab(key)}: there is no such flag`);
  const config: Record<string, unknown> = {};
  for (const [key, field] of known) {
    const value = values[key] ?? field.fallback?.value;
    config[key] = value;
    const problem = value === undefined ? (field.fallback === undefined ? 'must be given' : undefined)
      : !types[field.kind](value) ? `must be a ${field.kind}` : values[key] === undefined ? undefined : field.check?.(value);
    if (problem !== undefined) wrong.push(`--${kebab(key)}: ${problem}`);
  }
  if (wrong.length > 0) throw new ConfigError(`wrong configuration: ${wrong.join('; ')}; see ./podwire agent --help`);
  return Object.freeze(config as unknown as AgentConfig);
}

/** A flag's text as its value; what is no number or boolean stays text and is refused by the parser. */
export function flagValue(kind: Field['kind'], text: string): unknown {
  switch (kind) {
    case 'list': return text.split(',').map((one) => one.trim()).filter((one) => one !== '');
    case 'number': return /^-?\d+$/u.test(text) ? Number(text) : text;
    case 'boolean': return text === 'true' ? true : text === 'false' ? false : text;
    case 'map': return Object.fromEntries(text.split(',').filter((pair) => pair !== '').map((pair) => [pair.split('=')[0] ?? '', pair.includes('=') ? pair.slice(pair.indexOf('=') + 1) : '']));
    case 'text': return text;
  }
}

/** The flags of `./podwire agent` that mean this configuration. */
export function agentArguments(config: AgentConfigInput): string[] {
  const args: string[] = [];
  for (const [key, value] of Object.entries(config) as [string, string | number | boolean | object | undefined][]) {
    const flag = `--${kebab(key)}`;
    if (value === undefined) continue;
    if (Array.isArray(value)) { if (value.length > 0) args.push(flag, value.join(',')); }
    else if (typeof value === 'boolean') args.push(`${flag}=${value}`);
    else if (typeof value === 'object') {
      const pairs = Object.entries(value as Readonly<Record<string, string>>).map(([name, text]) => `${name}=${text}`);
      if (pairs.length > 0) args.push(flag, pairs.join(','));
    } else args.push(flag, String(value));
  }
  return args;
}

export function kebab(camel: string): string {
  return camel.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}
