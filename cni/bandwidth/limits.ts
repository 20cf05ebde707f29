import { addLink, deleteLink, getLink, isNetlinkError, listLinks, setLink } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { aliasPrefix, ifbName, isOfNetwork } from '../plan/names.ts';
import type { AttachmentId } from '../plan/request.ts';
import type { Bandwidth } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { parseCidr } from '../ipam/address.ts';
import { replaceClasses, shapedClassRate } from './classes.ts';
import type { SubnetShaping } from './classes.ts';
import { redirectIngress, replaceTokenBucket, tokenBucketRate } from './traffic-control.ts';
import type { TokenBucket } from './traffic-control.ts';

/** How long a packet may wait for tokens before it is dropped. */
const latencySeconds = 0.025;

/** The bucket of a rate and burst in bits. Pure. */
export function bucketOf(rateBits: number, burstBits: number): TokenBucket {
  const rate = BigInt(Math.floor(rateBits / 8));
  const burstBytes = Math.min(Math.floor(burstBits / 8), 0xffff_ffff);
  return { rateBytesPerSecond: rate, burstBytes, limitBytes: Math.min(Math.floor((rateBits / 8) * latencySeconds) + burstBytes, 0xffff_ffff) };
}

/**
 * What goes to the container is shaped where it leaves the host veth. What comes from it arrives there, and Linux cannot
 * shape arrivals: they take a turn through an ifb device and are shaped where they leave that. Returns the ifb's name.
 */
export function limitBandwidth(rt: NetlinkSocket, hostVeth: string | number, limits: Bandwidth, network: string, who: AttachmentId): string | undefined {
  const veth = getLink(rt, hostVeth);
  if (veth === undefined) throw new CniError(cniCode.invalidConfig, `bandwidth: the host interface ${hostVeth} is not there`);
  if (limits.ingressRate > 0) shape(rt, veth.index, bucketOf(limits.ingressRate, limits.ingressBurst), subnetsOf(limits, 'source'));
  if (limits.egressRate === 0) return undefined;
  const name = ifbName(network, who);
  removeIfb(rt, name);
  try {
    addLink(rt, { name, kind: 'ifb', mtu: veth.mtu, txQueueLen: 1000 });
    setLink(rt, name, { up: true, alias: `${aliasPrefix(network)}ip= container=${who.containerId} ifname=${who.ifname}`.slice(0, 255) });
    const ifb = getLink(rt, name);
    if (ifb === undefined) throw new CniError(cniCode.kernel, `bandwidth: ${name} vanished`);
    redirectIngress(rt, veth.index, ifb.index);
    shape(rt, ifb.index, bucketOf(limits.egressRate, limits.egressBurst), subnetsOf(limits, 'destination'));
    return name;
  } catch (error) {
    removeIfb(rt, name);
    throw error;
  }
}

function shape(rt: NetlinkSocket, index: number, bucket: TokenBucket, subnets: SubnetShaping | undefined): void {
  if (subnets === undefined) replaceTokenBucket(rt, index, bucket);
  else replaceClasses(rt, index, bucket, subnets);
}

function subnetsOf({ shapedSubnets, unshapedSubnets }: Bandwidth, side: SubnetShaping['side']): SubnetShaping | undefined {
  const texts = shapedSubnets ?? unshapedSubnets;
  return texts === undefined ? undefined : { subnets: texts.flatMap((text) => parseCidr(text) ?? []), isShaped: shapedSubnets !== undefined, side };
}

/** The shaping of the veth goes with it; the ifb does not. */
export const unlimitBandwidth = (rt: NetlinkSocket, network: string, who: AttachmentId): void => removeIfb(rt, ifbName(network, who));

export function checkBandwidth(rt: NetlinkSocket, hostVeth: string | number, limits: Bandwidth, network: string, who: AttachmentId): void {
  for (const [device, rate, direction] of [[hostVeth, limits.ingressRate, 'ingress'], [ifbName(network, who), limits.egressRate, 'egress']] as const) {
    if (rate === 0) continue;
    const link = getLink(rt, device);
    const rateOf = subnetsOf(limits, 'source') === undefined ? tokenBucketRate : shapedClassRate;
    const found = link === undefined ? undefined : rateOf(rt, link.index);
    if (found !== bucketOf(rate, 1).rateBytesPerSecond) throw new CniError(cniCode.checkFailed, `CHECK: ${direction} of ${who.containerId} is limited to ${found === undefined ? 'nothing' : `${found * 8n} bit/s`}, not ${rate} bit/s`);
  }
}

/** Removes the ifb devices of attachments of this network that are not valid. */
export function collectBandwidth(rt: NetlinkSocket, network: string, valid: readonly AttachmentId[]): void {
  const keep = new Set(valid.map((who) => ifbName(network, who)));
  for (const link of listLinks(rt, { kind: 'ifb' })) {
    if (isOfNetwork(network, link) && !keep.has(link.name)) removeIfb(rt, link.name);
  }
}

function removeIfb(rt: NetlinkSocket, name: string): void {
  try {
    deleteLink(rt, name);
  } catch (error) {
    if (!isNetlinkError(error, 'ENODEV')) throw error;
  }
}
