import { attach, check, detach, gc, status } from '../engine.ts';
import { faultFrom } from '../kernel/fault.ts';
import { parseNetworkConfig } from '../protocol/config.ts';
import type { NetworkConfig } from '../protocol/config-types.ts';
import { refuseUnknownArgs } from '../protocol/environment.ts';
import { resultForVersion } from '../protocol/versions.ts';
import type { Call, Plugin } from './plugin.ts';

const parse = ({ config, invocation }: Call): NetworkConfig => parseNetworkConfig(config.reader.raw, invocation.pluginPath);

/** podwire, bridge, ptp: an interface in the container. */
export const networkPlugin: Plugin = {
  about: 'podwire: wires a container into a bridged or routed pod network',
  add: async (call) => {
    refuseUnknownArgs(call.invocation.args);
    const config = parse(call);
    const fault = faultFrom(process.env);
    const result = await attach(config, call.request, { warn: call.warn, ...(fault === undefined ? {} : { afterStep: fault }) });
    return resultForVersion(result, config.cniVersion);
  },
  del: (call) => detach(parse(call), call.request),
  check: (call) => check(parse(call), call.request),
  gc: (call, valid) => gc(parse(call), valid),
  status: (call) => status(parse(call)),
};
