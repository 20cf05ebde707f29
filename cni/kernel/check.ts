import { getLink, listAddresses, listRoutes } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { networkText, parseCidr } from '../ipam/address.ts';
import { attachmentTag, hostVethName } from '../plan/names.ts';
import type { AttachmentRequest } from '../plan/request.ts';
import type { NetworkConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import type { CniResult } from '../protocol/result.ts';

/**
 * Whether links, addresses and routes of prevResult are there. MAC, MTU and flags are left alone: plugins after us in
 * the chain (tuning, for one) change them rightly.
 */
export function checkAttachment(config: NetworkConfig, request: AttachmentRequest, host: NetlinkSocket, pod: NetlinkSocket): void {
  const { prevResult } = config;
  if (prevResult === undefined) throw new CniError(cniCode.invalidConfig, 'prevResult: missing; CHECK compares the kernel with it');
  const veth = hostVethName(attachmentTag(config.name, request));
  const link = getLink(host, veth);
  if (link === undefined) throw failed(`host interface ${veth} is gone`);
  if (config.mode === 'bridge') {
    const bridge = getLink(host, config.bridge);
    if (bridge === undefined) throw failed(`bridge ${config.bridge} is gone`);
    if (link.master !== bridge.index) throw failed(`${veth} is no port of bridge ${config.bridge}`);
  }
  checkInside(prevResult, request, pod, config.disableContainerInterface);
}

function checkInside(result: CniResult, request: AttachmentRequest, pod: NetlinkSocket, mayBeDown: boolean): void {
  const link = getLink(pod, request.ifname);
  if (link === undefined) throw failed(`interface ${request.ifname} is gone from ${request.netns}`);
  if (!link.isUp && !mayBeDown) throw failed(`interface ${request.ifname} is down`);
  const present = new Set(listAddresses(pod, { dev: request.ifname }).map((each) => normal(each.address)));
  const ours = result.ips.filter((each) => each.interface === undefined || result.interfaces[each.interface]?.name === request.ifname);
  for (const ip of ours) if (!present.has(normal(ip.address))) throw failed(`address ${ip.address} is gone from ${request.ifname}`);
  const routes = listRoutes(pod, { dev: link.index });
  for (const route of result.routes) {
    if (route.table !== undefined && route.table !== 254) continue;
    const dst = parseCidr(route.dst);
    const to = dst === undefined ? route.dst : networkText(dst);
    const found = routes.some((each) => (each.to === 'default' ? (each.family === 4 ? '0.0.0.0/0' : '::/0') : each.to) === to && (route.gw === undefined || each.via === route.gw));
    if (!found) throw failed(`route ${route.dst}${route.gw === undefined ? '' : ` via ${route.gw}`} is gone`);
  }
}

function normal(address: string): string {
  const cidr = parseCidr(address);
  return cidr === undefined ? address : `${cidr.address}/${cidr.prefix}`;
}

const failed = (what: string): CniError => new CniError(cniCode.checkFailed, `CHECK: ${what}`);
