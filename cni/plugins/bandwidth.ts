import { getLink, openRoute } from '@podwire/netlink';
import { checkBandwidth, collectBandwidth, limitBandwidth, unlimitBandwidth } from '../bandwidth/limits.ts';
import { parseBandwidth, parseRuntimeConfig } from '../protocol/config.ts';
import type { Bandwidth } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { requirePrevious } from './chained.ts';
import type { Call, Plugin } from './plugin.ts';

/** The runtime's limits, else those that the configuration sets for everybody. */
function limitsOf({ config: { reader } }: Call): Bandwidth | undefined {
  const limits = parseRuntimeConfig(reader.object('runtimeConfig')).bandwidth ?? parseBandwidth(reader);
  return limits === undefined || (limits.ingressRate === 0 && limits.egressRate === 0) ? undefined : limits;
}

/** The host's end of the container's veth: the one whose index the container's end names. */
function hostEnd({ request }: Call): number {
  using pod = openRoute({ netns: request.netns });
  const link = getLink(pod, request.ifname);
  if (link?.kind !== 'veth' || link.link === undefined) throw new CniError(cniCode.invalidConfig, `bandwidth: ${request.ifname} in ${request.netns} is not a veth; only veth pairs can be limited`);
  return link.link;
}

/** bandwidth: token buckets in both directions. */
export const bandwidthPlugin: Plugin = {
  about: 'bandwidth: limits what a container sends and receives',
  add: (call) => {
    const previous = requirePrevious(call, 'bandwidth');
    const limits = limitsOf(call);
    if (limits === undefined) return Promise.resolve(previous.raw);
    using rt = openRoute();
    const ifb = limitBandwidth(rt, hostEnd(call), limits, call.config.name, call.request);
    const mac = ifb === undefined ? undefined : getLink(rt, ifb)?.mac;
    const extra = ifb === undefined ? [] : [{ name: ifb, ...(mac === undefined ? {} : { mac }) }];
    return Promise.resolve({ ...previous.raw, interfaces: [...previous.result.interfaces, ...extra] });
  },
  del: (call) => {
    using rt = openRoute();
    unlimitBandwidth(rt, call.config.name, call.request);
    return Promise.resolve();
  },
  check: (call) => {
    requirePrevious(call, 'bandwidth');
    const limits = limitsOf(call);
    using rt = openRoute();
    if (limits !== undefined) checkBandwidth(rt, hostEnd(call), limits, call.config.name, call.request);
    return Promise.resolve();
  },
  gc: ({ config }, valid) => {
    using rt = openRoute();
    collectBandwidth(rt, config.name, valid);
    return Promise.resolve();
  },
  status: () => Promise.resolve(),
};
