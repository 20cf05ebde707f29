import { formatIp, networkText, parseCidr, parseIp } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';
import type { NetworkConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { isUnicastMac } from '../protocol/config.ts';
import { defined, isJson } from '../protocol/reader.ts';
import type { CniDns, CniIp, CniResult, CniRoute } from '../protocol/result.ts';
import { attachmentTag, hostVethName, linkAlias, macOfIp, macOfTag, rowComment } from './names.ts';
import type { AttachmentRequest } from './request.ts';
import type { MasqueradeRow, PlannedRoute, Step, Where } from './steps.ts';

/** What IPAM gave: addresses with prefix and gateway, extra routes. */
export interface AddressGrant {
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

/** What is to be made, and the result that says so. Everything in it follows from the input: nothing is read back. */
export interface AttachmentPlan {
  readonly hostVeth: string;
  readonly comment: string;
  readonly steps: readonly Step[];
  readonly result: CniResult;
}

interface Address {
  readonly cidr: Cidr;
  readonly text: string;
  readonly ip: string;
  readonly gateway?: string;
}

export function planAttachment(config: NetworkConfig, request: AttachmentRequest, grant: AddressGrant): AttachmentPlan {
  const tag = attachmentTag(config.name, request);
  const host = hostVethName(tag);
  const addresses = grant.ips.map(addressOf);
  const mac = wantedMac(config, request) ?? (addresses[0] === undefined ? macOfTag(tag, 'pod') : macOfIp(ipOf(addresses[0])));
  const routes = podRoutes(config, grant.routes, addresses);
  const comment = rowComment(config.name, tag);
  const context: Context = { config, request, host, hostMac: macOfTag(tag, 'host'), mac, addresses, routes, comment };
  return {
    hostVeth: host,
    comment,
    steps: config.mode === 'bridge' ? bridgeSteps(context) : ptpSteps(context),
    result: resultOf(context, grant),
  };
}

interface Context {
  readonly config: NetworkConfig;
  readonly request: AttachmentRequest;
  readonly host: string;
  readonly hostMac: string;
  readonly mac: string;
  readonly addresses: readonly Address[];
  readonly routes: readonly CniRoute[];
  readonly comment: string;
}

function bridgeSteps(context: Context): readonly Step[] {
  const { config, host, addresses, request } = context;
  const gateways = config.isGateway ? addresses.filter((each) => each.gateway !== undefined) : [];
  const bridgeMac = gateways[0]?.gateway === undefined ? undefined : macOfIp(parseIp(gateways[0].gateway) ?? { family: 4, value: 0n });
  return [
    ...(config.isGateway ? forwarding(addresses) : []),
    ...(config.isGateway ? [{ do: 'bridge-filter', families: familiesOf(addresses) } as const] : []),
    defined<Step & { do: 'bridge' }>({ do: 'bridge', name: config.bridge, mac: bridgeMac, mtu: config.mtu, promisc: config.promiscMode, dad: config.enabledad }),
    ...gateways.map((each): Step => ({
      do: 'bridge-address', name: config.bridge, address: `${each.gateway ?? ''}/${each.cidr.prefix}`, force: config.forceAddress, dad: config.enabledad,
    })),
    vethStep(context, config.bridge),
    { do: 'bridge-port', name: host, hairpin: config.hairpinMode, isolated: config.portIsolation },
    ...(config.macspoofchk ? [{ do: 'mac-guard', name: host, mac: context.mac, comment: context.comment } as const] : []),
    { do: 'up', where: 'host', name: host },
    ...(config.disableContainerInterface ? [] : [
      loopbackUp,
      ...podSysctls(context),
      ...addresses.map((each): Step => ({
        do: 'address', where: 'pod', name: request.ifname, address: each.text, nodad: each.cidr.family === 6 && !config.enabledad, noPrefixRoute: false,
      })),
      { do: 'up', where: 'pod', name: request.ifname } as const,
      ...context.routes.map((route): Step => ({ do: 'route', where: 'pod', name: request.ifname, route })),
    ]),
    ...settle(context),
    ...(gateways.length > 0 ? settle(context, 'host') : []),
    ...masquerade(context),
  ];
}

/** No bridge: a route to each pod on the host, everything of the pod through the gateway address on the host's end. */
function ptpSteps(context: Context): readonly Step[] {
  const { config, host, addresses, request } = context;
  return [
    ...forwarding(addresses),
    vethStep(context, undefined),
    ...hostSysctls(context),
    ...addresses.flatMap((each): Step[] => each.gateway === undefined ? [] : [{
      do: 'address', where: 'host', name: host, address: `${each.gateway}/${bits(each)}`, nodad: true, noPrefixRoute: true,
    }]),
    { do: 'up', where: 'host', name: host },
    ...addresses.map((each): Step => ({
      do: 'route', where: 'host', name: host, route: defined<PlannedRoute>({ dst: `${each.ip}/${bits(each)}`, scope: linkScope }),
    })),
    loopbackUp,
    ...podSysctls(context),
    ...addresses.map((each): Step => ({
      do: 'address', where: 'pod', name: request.ifname, address: each.text, nodad: each.cidr.family === 6 && !config.enabledad, noPrefixRoute: true,
    })),
    { do: 'up', where: 'pod', name: request.ifname },
    ...addresses.flatMap((each): Step[] => each.gateway === undefined ? [] : [
      { do: 'route', where: 'pod', name: request.ifname, route: { dst: `${each.gateway}/${bits(each)}`, scope: linkScope, src: each.ip } },
      { do: 'route', where: 'pod', name: request.ifname, route: { dst: networkText(each.cidr), gw: each.gateway, src: each.ip } },
    ]),
    ...context.routes.map((route): Step => ({ do: 'route', where: 'pod', name: request.ifname, route })),
    ...settle(context),
    ...masquerade(context),
  ];
}

const linkScope = 253;

/** Container runtimes that know no loopback plugin leave it down. */
const loopbackUp: Step = { do: 'up', where: 'pod', name: 'lo' };

function vethStep({ config, request, host, hostMac, mac, addresses }: Context, master: string | undefined): Step {
  return defined<Step & { do: 'veth' }>({
    do: 'veth', host, hostMac, master, mtu: config.mtu, name: request.ifname, mac, netns: request.netns,
    alias: linkAlias(config.name, request, addresses.map((each) => each.ip)),
  });
}

const forwarding = (addresses: readonly Address[]): readonly Step[] => familiesOf(addresses).map((family): Step => ({
  do: 'host-sysctl', key: family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding', value: '1',
}));

/** Container engines switch IPv6 off in a namespace without network; an address needs it. No duplicate detection unless asked. */
function podSysctls({ config, request, addresses }: Context): readonly Step[] {
  if (!addresses.some((each) => each.cidr.family === 6)) return [];
  const folder = `net/ipv6/conf/${request.ifname}`;
  return [
    { do: 'pod-sysctl', key: 'net/ipv6/conf/lo/disable_ipv6', value: '0' },
    { do: 'pod-sysctl', key: `${folder}/disable_ipv6`, value: '0' },
    ...(config.enabledad ? [] : [{ do: 'pod-sysctl', key: `${folder}/accept_dad`, value: '0' } as const]),
  ];
}

/** Until duplicate detection of the host end's own link-local address is through, the host could not ask for the pod (a second or two). */
function hostSysctls({ host, addresses }: Context): readonly Step[] {
  if (!addresses.some((each) => each.cidr.family === 6)) return [];
  return ['disable_ipv6', 'accept_dad'].map((key): Step => ({ do: 'host-sysctl', key: `net/ipv6/conf/${host}/${key}`, value: '0' }));
}

const settle = ({ config, request, addresses }: Context, where: Where = 'pod'): readonly Step[] =>
  config.enabledad && addresses.some((each) => each.cidr.family === 6) ? [{ do: 'settle', where, name: where === 'pod' ? request.ifname : config.bridge }] : [];

function masquerade({ config, addresses, comment }: Context): readonly Step[] {
  if (!config.ipMasq) return [];
  const rows = addresses.map((each): MasqueradeRow => ({ family: each.cidr.family, source: `${each.ip}/${bits(each)}`, exempt: [networkText(each.cidr)] }));
  return rows.length === 0 ? [] : [{ do: 'masquerade', rows, comment }];
}

/** IPAM's routes, each through its family's gateway unless it says otherwise, and the default ones; each destination once. */
function podRoutes(config: NetworkConfig, routes: readonly CniRoute[], addresses: readonly Address[]): readonly CniRoute[] {
  const defaults = config.isDefaultGateway ? addresses.flatMap((each): CniRoute[] =>
    each.gateway === undefined ? [] : [{ dst: each.cidr.family === 4 ? '0.0.0.0/0' : '::/0', gw: each.gateway }]) : [];
  const seen = new Set<string>();
  return [...routes, ...defaults].flatMap((route) => {
    const dst = parseCidr(route.dst);
    if (dst === undefined) throw new CniError(cniCode.invalidConfig, `routes: "${route.dst}" is not a destination such as 0.0.0.0/0`);
    const key = `${networkText(dst)} ${route.table ?? ''} ${route.priority ?? ''}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const gw = route.gw ?? (route.scope === linkScope ? undefined : addresses.find((each) => each.cidr.family === dst.family)?.gateway);
    return [{ ...route, dst: networkText(dst), ...(gw === undefined ? {} : { gw }) }];
  });
}

/** The capability, CNI_ARGS `MAC`, or the configuration's `args.cni.mac`. */
function wantedMac(config: NetworkConfig, request: AttachmentRequest): string | undefined {
  const args = config.raw['args'];
  const cni = isJson(args) && isJson(args['cni']) ? args['cni'] : {};
  const mac = config.runtimeConfig.mac ?? request.args?.['MAC'] ?? (typeof cni['mac'] === 'string' ? cni['mac'] : undefined);
  if (mac === undefined || mac === '') return undefined;
  if (!isUnicastMac(mac)) throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: MAC: "${mac}" is not a unicast MAC address`);
  return mac.toLowerCase();
}

function resultOf({ config, request, host, hostMac, mac, addresses, routes }: Context, grant: AddressGrant): CniResult {
  const mtu = config.mtu ?? defaultMtu;
  const ends = [{ name: host, mac: hostMac, mtu }, { name: request.ifname, mac, mtu, sandbox: request.netns }];
  const interfaces = config.mode === 'bridge' ? [{ name: config.bridge, mtu }, ...ends] : ends;
  const ips = addresses.map((each): CniIp => defined<CniIp>({ address: each.text, gateway: each.gateway, interface: interfaces.length - 1 }));
  const dns = config.runtimeConfig.dns ?? (Object.keys(grant.dns).length > 0 ? grant.dns : config.dns);
  return { interfaces, ips, routes, dns };
}

/** What Linux gives a veth or bridge that is made without MTU. */
const defaultMtu = 1500;

function addressOf(ip: CniIp): Address {
  const cidr = parseCidr(ip.address);
  if (cidr === undefined) throw new CniError(cniCode.delegate, `ips: "${ip.address}" is not an address with prefix length`);
  return defined<Address>({ cidr, text: ip.address, ip: formatIp({ family: cidr.family, value: cidr.address }), gateway: ip.gateway });
}

const ipOf = (address: Address) => ({ family: address.cidr.family, value: address.cidr.address });
const bits = (address: Address): number => (address.cidr.family === 4 ? 32 : 128);
const familiesOf = (addresses: readonly Address[]): readonly (4 | 6)[] => [...new Set(addresses.map((each) => each.cidr.family))];
