import { formatIp, toBytes } from '../ipam/address.ts';
import type { Ip } from '../ipam/address.ts';
import type { AttachmentId, AttachmentRequest } from './request.ts';
import { sha256 } from './sha256.ts';

/**
 * Names follow from the attachment, so that DEL and GC find everything without a state file, without the container's
 * namespace and without prevResult.
 */
export const attachmentTag = (network: string, who: AttachmentId): string => `${digest(4, network)}${digest(8, network, who.containerId, who.ifname)}`;

/** 15 characters, the longest name that an interface may have. */
export const hostVethName = (tag: string): string => `pw-${tag}`;
export const ifbName = (network: string, who: AttachmentId): string => `pw-${digest(4, network)}${digest(8, 'ifb', network, who.containerId, who.ifname)}`;

/** Whether a link is of this network. An ADD that was killed at the wrong moment leaves one without alias; the name still tells. */
export const isOfNetwork = (network: string, link: { readonly name: string; readonly alias: string | undefined }): boolean =>
  link.alias === undefined || link.alias === '' ? /^pw-[0-9a-f]{12}$/.test(link.name) && link.name.startsWith(`pw-${digest(4, network)}`) : link.alias.startsWith(aliasPrefix(network));

/** Marks our rows in nftables sets: which network, which attachment. */
export const rowComment = (network: string, tag: string): string => `${networkTag(network)}:${tag}`;
export const networkTag = (network: string): string => digest(8, network);

/** The kernel keeps 255 bytes of alias; what GC needs stands first. */
export function linkAlias(network: string, request: AttachmentRequest, addresses: readonly string[]): string {
  const pod = request.podIdentity === undefined ? '' : ` pod=${request.podIdentity.namespace}/${request.podIdentity.name}`;
  return `${aliasPrefix(network)}ip=${addresses.join(',')} container=${request.containerId} ifname=${request.ifname}${pod}`.slice(0, 255);
}

export const aliasPrefix = (network: string): string => `podwire network=${network} `;

/** The addresses that `linkAlias` wrote. */
export function aliasAddresses(alias: string): readonly string[] {
  const list = / ip=([0-9a-fA-F.:,]*)/.exec(alias)?.[1] ?? '';
  return list.split(',').filter((each) => each !== '');
}

/**
 * A MAC that follows from the address: when an address goes to another pod, neighbours that remember it stay right.
 * 0a:58 is the prefix that Kubernetes' own kubenet used, locally administered.
 */
export function macOfIp(ip: Ip): string {
  const bytes = ip.family === 4 ? toBytes(ip) : Buffer.from(digest(8, formatIp(ip)), 'hex');
  return formatMac([0x0a, ip.family === 4 ? 0x58 : 0x5a, ...bytes]);
}

/** For the end that has no address of its own. */
export function macOfTag(tag: string, end: 'host' | 'pod'): string {
  return formatMac([0x0a, end === 'host' ? 0x59 : 0x5b, ...Buffer.from(tag.slice(-8), 'hex')]);
}

const formatMac = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');

/** The first hex digits of the SHA-256 of the parts. */
export function digest(length: number, ...parts: readonly string[]): string {
  const text = parts.join('\0');
  if (parts.length > 1) return sha256(text).slice(0, length);
  if (text !== latest.network) latest = { network: text, hash: sha256(text) };
  return latest.hash.slice(0, length);
}

/** The names of one attachment ask for the same network three times. */
let latest = { network: '\0', hash: '' };
