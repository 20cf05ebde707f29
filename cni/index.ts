/**
 * The pod network in-process: what the agent calls. The same engine stands behind the CNI executables (`main.ts`).
 *
 *     const network = podNetworkConfig({ name: 'podwire', podCIDRs: ['10.244.1.0/24'], mtu: 1450, dataDir });
 *     const result = await attach(network, { containerId, netns: '/proc/1234/ns/net', ifname: 'eth0' });
 *     result.ips[0].address // '10.244.1.2/24'
 *     await detach(network, { containerId, netns: '', ifname: 'eth0' });
 *
 * Everything acts in the network namespace in which the process (its main thread) runs: start the agent inside the
 * node's namespace. Lease files lie in `dataDir`, which must differ from node to node.
 */
export { attach, check, detach, gc, status } from './engine.ts';
export type { EngineOptions } from './engine.ts';
export { faultFrom } from './kernel/fault.ts';
export { CniError, cniCode, toCniError } from './protocol/errors.ts';
export type { CniResult, CniInterface, CniIp, CniRoute, CniDns } from './protocol/result.ts';
export type { AttachmentRequest, AttachmentId, PodIdentity } from './plan/request.ts';
export type { NetworkConfig, IpamConfig, IpRangeConfig, PortMapping, Bandwidth, RuntimeConfig } from './protocol/config-types.ts';
export { parseNetworkConfig } from './protocol/config.ts';
export { podNetworkConfig } from './pod-network.ts';
export type { PodNetworkOptions } from './pod-network.ts';
export { addMasquerade, removeMasquerade, syncMasquerade } from './egress/masquerade.ts';
export type { MasqueradeRow } from './plan/steps.ts';
export { startOverlay } from './overlay/start.ts';
export type { OverlayHandle, OverlayLog, OverlayMode, OverlayOptions, OverlayState, Problem } from './overlay/types.ts';
export { installPlugins, pluginNames } from './install.ts';
export { servePlugins } from './plugins/serve.ts';
