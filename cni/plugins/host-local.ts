import { checkAddresses, collectAddresses, grantAddresses, ipamStatus, releaseAddresses } from '../ipam/ipam.ts';
import type { IpamNetwork } from '../ipam/ipam.ts';
import { parseIpam, parseRuntimeConfig } from '../protocol/config.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { resultForVersion } from '../protocol/versions.ts';
import type { Call, Plugin } from './plugin.ts';

/** The network as address management sees it: only `ipam` counts, and it is ours whatever type the configuration names. */
function parse({ config, invocation }: Call): IpamNetwork {
  const reader = config.reader.object('ipam');
  if (reader === undefined) throw new CniError(cniCode.invalidConfig, 'ipam: missing; host-local takes its ranges from it');
  const ipam = parseIpam(reader);
  if (ipam?.type !== 'host-local') throw new CniError(cniCode.invalidConfig, `ipam.type: "${ipam?.type ?? ''}" is not host-local, which this program is`);
  return {
    cniVersion: config.cniVersion, name: config.name, ipam,
    runtimeConfig: parseRuntimeConfig(config.reader.object('runtimeConfig')),
    pluginPath: invocation.pluginPath, raw: config.reader.raw,
  };
}

/** host-local: addresses from the ranges of the configuration, for any main plugin. */
export const hostLocalPlugin: Plugin = {
  about: 'host-local: gives out addresses of local ranges',
  add: async (call) => {
    const network = parse(call);
    const grant = await grantAddresses(network, call.request, 'fail');
    return resultForVersion({ interfaces: [], ...grant }, network.cniVersion);
  },
  del: (call) => releaseAddresses(parse(call), call.request),
  check: (call) => checkAddresses(parse(call), call.request),
  gc: (call, valid) => collectAddresses(parse(call), valid),
  status: (call) => ipamStatus(parse(call)),
};
