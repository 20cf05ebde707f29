import { parseCidr } from '../ipam/address.ts';
import { CniError, cniCode } from './errors.ts';
import { Reader, defined } from './reader.ts';
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from './result.ts';

export const supportedVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export const latestVersion = '1.1.0';

/** A configuration without `cniVersion` means 0.1.0 (specification 0.2.0), which is older than what we speak. */
export function requireVersion(version: string | undefined): string {
  const wanted = version === undefined || version === '' ? '0.1.0' : version;
  if ((supportedVersions as readonly string[]).includes(wanted)) return wanted;
  throw new CniError(cniCode.incompatibleVersion, `cniVersion: "${wanted}" is not supported`, { details: `supported versions: ${supportedVersions.join(', ')}` });
}

/** Numeric comparison of dotted versions: `atLeast('1.1.0', '0.4.0')`. */
export function atLeast(version: string, wanted: string): boolean {
  const [a, b] = [version, wanted].map((each) => each.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Our result in the shape of `version`: 0.3/0.4 mark each address with its family, MTU and route details came with 1.1.0. */
export function resultForVersion(result: CniResult, version: string): Record<string, unknown> {
  const full = atLeast(version, '1.1.0');
  const old = !atLeast(version, '1.0.0');
  const interfaces = result.interfaces.map(({ name, mac, mtu, sandbox, socketPath, pciID }) =>
    defined({ name, mac, sandbox, ...(full ? { mtu, socketPath, pciID } : {}) }));
  const ips = result.ips.map(({ address, gateway, interface: index }) => defined({
    ...(old ? { version: address.includes(':') ? '6' : '4' } : {}), interface: index, address, gateway,
  }));
  const routes = result.routes.map(({ dst, gw, mtu, advmss, priority, table, scope }) =>
    defined({ dst, gw, ...(full ? { mtu, advmss, priority, table, scope } : {}) }));
  return {
    cniVersion: version,
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(ips.length === 0 ? {} : { ips }),
    ...(routes.length === 0 ? {} : { routes }),
    dns: result.dns,
  };
}

/** A result of any supported version, as a plugin before us in the chain or an IPAM plugin answered it. */
export function parseResult(value: unknown, path: string): CniResult {
  const reader = new Reader(value, path);
  return {
    interfaces: reader.objects('interfaces').map(parseInterface),
    ips: reader.objects('ips').map(parseIpEntry),
    routes: reader.objects('routes').map(parseRoute),
    dns: parseDns(reader.object('dns')),
  };
}

const parseInterface = (reader: Reader): CniInterface => defined<CniInterface>({
  name: reader.string('name') ?? reader.fail('name', 'is missing'),
  mac: reader.text('mac'),
  mtu: reader.integer('mtu', 0, 65536),
  sandbox: reader.text('sandbox'),
  socketPath: reader.text('socketPath'),
  pciID: reader.text('pciID'),
});

function parseIpEntry(reader: Reader): CniIp {
  const address = reader.string('address') ?? reader.fail('address', 'is missing');
  if (parseCidr(address) === undefined) reader.fail('address', 'is not an address with prefix length');
  return defined<CniIp>({ address, gateway: reader.text('gateway'), interface: reader.integer('interface', 0, 1000) });
}

export function parseRoute(reader: Reader): CniRoute {
  const dst = reader.string('dst') ?? reader.fail('dst', 'is missing');
  if (parseCidr(dst) === undefined) reader.fail('dst', 'is not a destination such as 0.0.0.0/0');
  return defined<CniRoute>({
    dst,
    gw: reader.text('gw'),
    mtu: reader.integer('mtu', 0, 65536),
    advmss: reader.integer('advmss', 0, 65536),
    priority: reader.integer('priority', 0, 0xffffffff),
    table: reader.integer('table', 0, 0xffffffff),
    scope: reader.integer('scope', 0, 255),
  });
}

export const parseDns = (reader: Reader | undefined): CniDns => reader === undefined ? {} : defined<CniDns>({
  nameservers: reader.strings('nameservers'),
  domain: reader.text('domain'),
  search: reader.strings('search'),
  options: reader.strings('options'),
});
