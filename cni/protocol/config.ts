import { parseCidr, parseIp } from '../ipam/address.ts';
import { parseRanges } from '../ipam/ranges.ts';
import type { AttachmentId } from '../plan/request.ts';
import type { Bandwidth, IpRangeConfig, IpamConfig, NetworkConfig, PortMapping, RuntimeConfig } from './config-types.ts';
import { CniError, cniCode } from './errors.ts';
import { Reader, defined, show } from './reader.ts';
import { parseDns, parseResult, parseRoute, requireVersion } from './versions.ts';

const idPattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const defaultDataDir = '/var/lib/cni/networks';

/** The keys that every configuration has, whatever the plugin. */
export interface CommonConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly type: string;
  readonly reader: Reader;
}

export function parseCommon(input: unknown): CommonConfig {
  const reader = new Reader(input, '');
  const cniVersion = requireVersion(reader.string('cniVersion'));
  const name = reader.text('name');
  if (name === undefined) throw new CniError(cniCode.invalidConfig, 'name: missing; every network configuration needs a name');
  if (!idPattern.test(name)) reader.fail('name', 'is not a network name: it starts with a letter or digit, then letters, digits, "_", ".", "-"');
  return { cniVersion, name, type: reader.text('type') ?? 'podwire', reader };
}

/** A configuration of the main plugin: `type` podwire, bridge or ptp. Throws `CniError` 1, 2 or 7, naming key and value. */
export function parseNetworkConfig(input: unknown, pluginPath: readonly string[] = []): NetworkConfig {
  const { cniVersion, name, type, reader } = parseCommon(input);
  // Under its own name the plugin has the defaults that pods need; under a reference plugin's name, that plugin's.
  const own = type !== 'bridge' && type !== 'ptp';
  const mode = type === 'bridge' || type === 'ptp' ? type : oneOf(reader, 'mode', ['bridge', 'ptp'], 'bridge');
  const isDefaultGateway = reader.boolean('isDefaultGateway', own);
  const mtu = reader.integer('mtu', 0, 65535);
  if (mtu !== undefined && mtu > 0 && mtu < 68) reader.fail('mtu', 'is below 68, the least that IPv4 allows (1280 for IPv6)');
  const promiscMode = reader.boolean('promiscMode', false);
  const hairpinMode = reader.boolean('hairpinMode', own && !promiscMode);
  if (hairpinMode && promiscMode) reader.fail('promiscMode', 'and hairpinMode exclude each other: the bridge would deliver each packet twice');
  const ipam = parseIpam(reader.object('ipam'));
  const disableContainerInterface = reader.boolean('disableContainerInterface', false);
  if (disableContainerInterface && ipam !== undefined) reader.fail('disableContainerInterface', 'excludes ipam: an interface that is down has no addresses');
  if (mode === 'ptp' && ipam === undefined) throw new CniError(cniCode.invalidConfig, 'ipam: missing; ptp routes by address and needs one');
  const bridge = reader.text('bridge') ?? (own ? 'pw-cni0' : 'cni0');
  if (!isInterfaceName(bridge)) reader.fail('bridge', 'is not an interface name (at most 15 characters, no "/", ":" or blank)');
  return {
    cniVersion, name, type, mode, bridge,
    isGateway: reader.boolean('isGateway', own) || isDefaultGateway,
    isDefaultGateway,
    forceAddress: reader.boolean('forceAddress', false),
    ipMasq: reader.boolean('ipMasq', false),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu }),
    hairpinMode, promiscMode,
    macspoofchk: reader.boolean('macspoofchk', false),
    enabledad: reader.boolean('enabledad', false),
    disableContainerInterface,
    portIsolation: reader.boolean('portIsolation', false),
    vlanKeys: vlanKeys(reader),
    ...(ipam === undefined ? {} : { ipam }),
    dns: parseDns(reader.object('dns')),
    runtimeConfig: parseRuntimeConfig(reader.object('runtimeConfig')),
    ...(reader.has('prevResult') ? { prevResult: parseResult(reader.value('prevResult'), 'prevResult') } : {}),
    pluginPath,
    raw: reader.raw,
  };
}

/** Linux's rule for names of interfaces (dev_valid_name). */
export const isInterfaceName = (name: string): boolean => name !== '' && name.length <= 15 && name !== '.' && name !== '..' && !/[/:\s]/.test(name);

export const isContainerId = (id: string): boolean => idPattern.test(id);

/** Those of the VLAN keys that ask for something, as they stand there. */
function vlanKeys(reader: Reader): readonly string[] {
  return (['vlan', 'vlanTrunk', 'preserveDefaultVlan'] as const).filter((key) => {
    if (!reader.has(key)) return false;
    const value = reader.value(key);
    return !(key === 'vlan' ? value === 0 : key === 'preserveDefaultVlan' ? typeof value === 'boolean' : Array.isArray(value) && value.length === 0);
  }).map((key) => `${key}: ${show(reader.value(key))}`);
}

function oneOf<T extends string>(reader: Reader, key: string, values: readonly T[], fallback: T): T {
  const value = reader.text(key);
  if (value === undefined) return fallback;
  return values.find((each) => each === value) ?? reader.fail(key, `is not one of ${values.join(', ')}`);
}

export function parseIpam(reader: Reader | undefined): IpamConfig | undefined {
  if (reader === undefined || Object.keys(reader.raw).length === 0) return undefined;
  const type = reader.text('type') ?? (reader.has('subnet') || reader.has('ranges') ? 'host-local' : reader.fail('type', 'is missing; name an IPAM plugin, for example "host-local"'));
  if (type.includes('/')) reader.fail('type', 'is not the name of a plugin');
  const isOurs = type === 'host-local' || type === 'podwire';
  const ranges = isOurs ? rangesOf(reader) : [];
  return {
    type: isOurs ? 'host-local' : type,
    ranges,
    routes: isOurs ? reader.objects('routes').map(parseRoute) : [],
    dataDir: reader.text('dataDir') ?? defaultDataDir,
    ...(reader.text('resolvConf') === undefined ? {} : { resolvConf: reader.text('resolvConf') ?? '' }),
  };
}

function rangesOf(reader: Reader): readonly (readonly IpRangeConfig[])[] {
  const sets = rangeSets(reader, 'ranges');
  const single = reader.has('subnet') ? [[rangeOf(reader)]] : [];
  const all = [...single, ...sets];
  // None at all may still be right: the runtime can bring them (capability ipRanges).
  if (all.length > 0) parseRanges(all);
  return all;
}

export function rangeSets(reader: Reader, key: string): readonly (readonly IpRangeConfig[])[] {
  return (reader.list(key) ?? []).map((set, s) => {
    if (!Array.isArray(set)) throw new CniError(cniCode.invalidConfig, `${reader.pathOf(key)}[${s}]: ${show(set)} is not a list of ranges; write [[{"subnet": ...}]]`);
    return set.map((range: unknown, r) => rangeOf(new Reader(range, `${reader.pathOf(key)}[${s}][${r}]`)));
  });
}

const rangeOf = (reader: Reader): IpRangeConfig => defined<IpRangeConfig>({
  subnet: reader.text('subnet') ?? reader.fail('subnet', 'is missing'),
  rangeStart: reader.text('rangeStart'),
  rangeEnd: reader.text('rangeEnd'),
  gateway: reader.text('gateway'),
});

export function parseRuntimeConfig(reader: Reader | undefined): RuntimeConfig {
  if (reader === undefined) return {};
  const mac = reader.text('mac');
  if (mac !== undefined && !isUnicastMac(mac)) reader.fail('mac', 'is not a unicast MAC address such as 02:00:00:00:00:01');
  for (const ip of reader.strings('ips') ?? []) {
    if (parseIp(ip) === undefined && parseCidr(ip) === undefined) reader.fail('ips', `holds "${ip}", which is not an IP address`);
  }
  return defined<RuntimeConfig>({
    portMappings: reader.has('portMappings') ? reader.objects('portMappings').map(parsePortMapping) : undefined,
    ips: reader.strings('ips'),
    ipRanges: reader.has('ipRanges') ? rangeSets(reader, 'ipRanges') : undefined,
    mac,
    bandwidth: parseBandwidth(reader.object('bandwidth')),
    dns: reader.has('dns') ? parseDns(reader.object('dns')) : undefined,
    aliases: reader.strings('aliases'),
  });
}

function parsePortMapping(reader: Reader): PortMapping {
  const protocol = (reader.text('protocol') ?? 'tcp').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') return reader.fail('protocol', 'is not tcp, udp or sctp');
  const hostIP = reader.text('hostIP');
  if (hostIP !== undefined && parseIp(hostIP) === undefined) reader.fail('hostIP', 'is not an IP address');
  return defined<PortMapping>({
    hostPort: reader.integer('hostPort', 0, 65535) ?? 0,
    containerPort: reader.integer('containerPort', 1, 65535) ?? reader.fail('containerPort', 'is missing'),
    protocol, hostIP,
  });
}

export function parseBandwidth(reader: Reader | undefined): Bandwidth | undefined {
  if (reader === undefined) return undefined;
  const most = Number.MAX_SAFE_INTEGER;
  const [ingressRate, ingressBurst, egressRate, egressBurst] = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst']
    .map((key) => reader.integer(key, 0, most) ?? 0) as [number, number, number, number];
  for (const [rate, burst, key] of [[ingressRate, ingressBurst, 'ingressBurst'], [egressRate, egressBurst, 'egressBurst']] as const) {
    if (rate > 0 && burst === 0) reader.fail(key, `must be above 0 when ${key.replace('Burst', 'Rate')} is set`);
    if (rate === 0 && burst > 0) reader.fail(key.replace('Burst', 'Rate'), `must be above 0 when ${key} is set`);
    if (burst > 0xffffffff * 8) reader.fail(key, 'is above 4 GiB, the largest bucket of the kernel');
  }
  const [shapedSubnets, unshapedSubnets] = (['shapedSubnets', 'unshapedSubnets'] as const).map((key) => {
    const subnets = reader.strings(key) ?? [];
    const bad = subnets.find((each) => parseCidr(each) === undefined);
    if (bad !== undefined) reader.fail(key, `holds "${bad}", which is not a network such as 10.0.0.0/8`);
    return subnets.length === 0 ? undefined : subnets;
  });
  if (shapedSubnets !== undefined && unshapedSubnets !== undefined) reader.fail('unshapedSubnets', 'and shapedSubnets exclude each other');
  return defined<Bandwidth>({ ingressRate, ingressBurst, egressRate, egressBurst, shapedSubnets, unshapedSubnets });
}

/**
 * `cni.dev/valid-attachments` (or `cni.dev/attachments`, its older name): an empty list means that none is valid, and so
 * does null, which is how libcni writes an empty list; a missing key is an error, not "none".
 */
export function parseValidAttachments(reader: Reader): readonly AttachmentId[] {
  const key = ['cni.dev/valid-attachments', 'cni.dev/attachments'].find((each) => each in reader.raw);
  if (key === undefined) throw new CniError(cniCode.invalidConfig, 'cni.dev/valid-attachments: missing; GC without it would remove every attachment');
  return reader.objects(key).map((each) => ({
    containerId: each.text('containerID') ?? each.fail('containerID', 'is missing'),
    ifname: each.text('ifname') ?? each.fail('ifname', 'is missing'),
  }));
}

export const isUnicastMac = (mac: string): boolean => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
