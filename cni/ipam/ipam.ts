import { readFileSync } from 'node:fs';
import { batched } from '../kernel/batch.ts';
import type { AddressGrant } from '../plan/attachment.ts';
import type { AttachmentId, AttachmentRequest } from '../plan/request.ts';
import type { IpamConfig, NetworkConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { defined, isJson } from '../protocol/reader.ts';
import type { CniDns } from '../protocol/result.ts';
import { atLeast, parseResult } from '../protocol/versions.ts';
import { formatIp, parseCidr, parseIp } from './address.ts';
import type { Ip } from './address.ts';
import { callPlugin } from './delegate.ts';
import type { PluginCall } from './delegate.ts';
import { allocate, collect, freeAddresses, leasesOf, release } from './host-local.ts';
import type { Release } from './host-local.ts';

/** What address management needs of a network: the main plugin's configuration, or the stand-alone host-local's. */
export type IpamNetwork = Pick<NetworkConfig, 'cniVersion' | 'name' | 'pluginPath' | 'raw' | 'runtimeConfig'> & { readonly ipam?: IpamConfig };

export async function grantAddresses(network: IpamNetwork, request: AttachmentRequest, onHeld: 'reuse' | 'fail' = 'reuse'): Promise<AddressGrant> {
  const ipam = effectiveIpam(network);
  if (ipam === undefined) return { ips: [], routes: [], dns: {} };
  if (ipam.type !== 'host-local') {
    const answer = await callPlugin(ipam.type, network.pluginPath, delegateConfig(network), { command: 'ADD', ...callOf(request) });
    const result = parseResult(answer, `answer of IPAM plugin ${ipam.type}`);
    return { ips: result.ips, routes: result.routes, dns: result.dns };
  }
  if (ipam.ranges.length === 0) throw new CniError(cniCode.invalidConfig, `network "${network.name}": ipam.ranges: empty; host-local needs "ranges", "subnet" or the capability ipRanges`);
  const given = allocate(ipam, network.name, request, { requested: requestedIps(network, request), onHeld });
  return {
    ips: given.map(({ ip, prefix, gateway }) => ({ address: `${formatIp(ip)}/${prefix}`, gateway: formatIp(gateway) })),
    routes: ipam.routes,
    dns: ipam.resolvConf === undefined ? {} : readResolvConf(ipam.resolvConf),
  };
}

/** Frees what the attachment has; nothing to free is success. `known` helps where a lease file is corrupt. */
export async function releaseAddresses(network: IpamNetwork, request: AttachmentRequest, known: readonly Ip[] = []): Promise<void> {
  const ipam = effectiveIpam(network);
  if (ipam === undefined) return;
  if (ipam.type !== 'host-local') await callPlugin(ipam.type, network.pluginPath, delegateConfig(network), { command: 'DEL', ...callOf(request) });
  else await releaseLeases({ dataDir: ipam.dataDir, network: network.name, who: request, known });
}

/** One pass over the folder for all that leave at once. */
const releaseLeases = batched<Release & { readonly dataDir: string; readonly network: string }>((items) => {
  for (const group of Map.groupBy(items, ({ dataDir, network }) => `${dataDir}\0${network}`).values()) {
    const [first] = group;
    if (first !== undefined) release(first, first.network, group);
  }
});

export async function checkAddresses(network: IpamNetwork, request: AttachmentRequest): Promise<void> {
  const ipam = effectiveIpam(network);
  if (ipam === undefined) return;
  if (ipam.type !== 'host-local') await callPlugin(ipam.type, network.pluginPath, delegateConfig(network), { command: 'CHECK', ...callOf(request) });
  else if (leasesOf(ipam, network.name, request).length === 0) {
    throw new CniError(cniCode.checkFailed, `network "${network.name}": no lease of ${request.containerId} ${request.ifname} in ${ipam.dataDir}`);
  }
}

export async function collectAddresses(network: IpamNetwork, valid: readonly AttachmentId[]): Promise<void> {
  const ipam = effectiveIpam(network);
  if (ipam === undefined) return;
  if (ipam.type === 'host-local') collect(ipam, network.name, valid);
  else if (atLeast(network.cniVersion, '1.1.0')) await callPlugin(ipam.type, network.pluginPath, delegateConfig(network), { command: 'GC' });
}

/** Throws 50 when no further ADD can succeed. */
export async function ipamStatus(network: IpamNetwork): Promise<void> {
  const ipam = effectiveIpam(network);
  if (ipam === undefined) return;
  if (ipam.type !== 'host-local') {
    if (atLeast(network.cniVersion, '1.1.0')) await callPlugin(ipam.type, network.pluginPath, delegateConfig(network), { command: 'STATUS' });
    return;
  }
  const full = freeAddresses(ipam, network.name).find((set) => set.free <= 0n);
  if (full !== undefined) throw new CniError(cniCode.notAvailable, `network "${network.name}": the pool ${full.set} is exhausted; GC, or widen ipam.ranges`);
}

/** The pools of the configuration and those that the runtime brings (capability ipRanges). */
function effectiveIpam(network: IpamNetwork): IpamConfig | undefined {
  const extra = network.runtimeConfig.ipRanges ?? [];
  return network.ipam === undefined || extra.length === 0 ? network.ipam : { ...network.ipam, ranges: [...network.ipam.ranges, ...extra] };
}

function delegateConfig(network: IpamNetwork): unknown {
  return { ...network.raw, cniVersion: network.cniVersion, name: network.name };
}

const callOf = (request: AttachmentRequest): Omit<PluginCall, 'command'> => defined({
  containerId: request.containerId, netns: request.netns, ifname: request.ifname, args: request.args,
});

/** CNI_ARGS `IP`, the configuration's `args.cni.ips`, and the capability `ips`; prefix lengths are ignored. */
function requestedIps(network: IpamNetwork, request: AttachmentRequest): readonly Ip[] {
  const args = network.raw['args'];
  const cni = isJson(args) ? args['cni'] : undefined;
  const listed = isJson(cni) && Array.isArray(cni['ips']) ? cni['ips'].map(String) : [];
  const texts = [...(request.args?.['IP'] ?? '').split(',').filter((each) => each !== ''), ...listed, ...(network.runtimeConfig.ips ?? [])];
  const unique = new Map<string, Ip>();
  for (const text of texts) {
    const cidr = parseCidr(text);
    const ip = cidr === undefined ? parseIp(text) : { family: cidr.family, value: cidr.address };
    if (ip === undefined) throw new CniError(cniCode.invalidConfig, `requested address "${text}" (CNI_ARGS IP, args.cni.ips or capability ips) is not an IP address`);
    unique.set(formatIp(ip), ip);
  }
  return [...unique.values()];
}

function readResolvConf(path: string): CniDns {
  const rows = readLines(path).map((line) => line.replace(/[#;].*$/, '').trim().split(/\s+/));
  const all = (keyword: string): readonly string[] => rows.filter(([first]) => first === keyword).flatMap(([, ...rest]) => rest);
  const some = (values: readonly string[]): readonly string[] | undefined => (values.length === 0 ? undefined : values);
  return defined<CniDns>({ nameservers: some(all('nameserver')), domain: all('domain').at(-1), search: some(all('search')), options: some(all('options')) });
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    throw new CniError(cniCode.io, `ipam.resolvConf: "${path}" cannot be read`, { cause: error });
  }
}
