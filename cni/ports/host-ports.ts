import { getLink, getRoute, openRoute, setSysctl } from '@podwire/netlink';
import { Conntrack } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { addRows, deleteRows, hasCode, ownedRows } from '../egress/rows.ts';
import type { FoundRow, OwnedRow } from '../egress/rows.ts';
import { formatIp, lastOf, networkOf, parseCidr, parseIp } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';
import type { PortMapping } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { hairpin, portMaps, portSets, ports, portsAt, rulesetText } from './table.ts';

export interface HostPortOptions {
  /** Masquerade what would otherwise be answered past this node. */
  readonly snat: boolean;
  /** Masquerade every connection to the port: the pod then sees the node as the client. */
  readonly masqueradeAll?: boolean;
  readonly signal?: AbortSignal;
}

interface Pod {
  readonly cidr: Cidr;
  readonly ip: string;
}

const udp = 17;

/** The rows of the mappings for a pod with these addresses (with prefix length). One per mapping and family. Pure. */
export function desiredPortRows(mappings: readonly PortMapping[], addresses: readonly string[], comment: string, options: HostPortOptions): readonly OwnedRow[] {
  const pods = addresses.flatMap((text): Pod[] => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [{ cidr, ip: formatIp({ family: cidr.family, value: cidr.address }) }];
  });
  const active = mappings.filter((mapping) => mapping.hostPort > 0);
  // One address per family, as with the Kubernetes status: the first.
  const firsts = ([4, 6] as const).flatMap((family) => pods.find((pod) => pod.cidr.family === family) ?? []);
  const rows = active.flatMap((mapping) => firsts.flatMap((pod) => mappingRow(mapping, pod, comment) ?? []));
  return rows.length === 0 ? [] : [...rows, ...(options.snat ? firsts.flatMap((pod) => hairpinRows(pod, comment, options.masqueradeAll === true)) : [])];
}

function mappingRow({ hostPort, containerPort, protocol, hostIP }: PortMapping, pod: Pod, comment: string): OwnedRow | undefined {
  const { family } = pod.cidr;
  const data = [pod.ip, containerPort];
  const at = hostIP === undefined ? undefined : parseIp(hostIP);
  if (at !== undefined && at.family !== family) return undefined;
  if (at === undefined || at.value === 0n) return { set: ports[family], key: [protocol, hostPort], data, comment, mode: 'create' };
  return { set: portsAt[family], key: [formatIp(at), protocol, hostPort], data, comment, mode: 'create' };
}

function hairpinRows(pod: Pod, comment: string, everyone: boolean): readonly OwnedRow[] {
  const { family } = pod.cidr;
  const block = (cidr: Cidr): OwnedRow => ({
    set: hairpin[family], comment, mode: 'add',
    key: [formatIp({ family, value: networkOf(cidr) }), pod.ip],
    keyEnd: [formatIp({ family, value: lastOf(cidr) }), pod.ip],
  });
  if (everyone) return [block({ family, address: 0n, prefix: 0 })];
  const localhost: Cidr = { family: 4, address: 0x7f000000n, prefix: 8 };
  return [block(pod.cidr), ...(family === 4 ? [block(localhost)] : [])];
}

/** Opens the host ports. A port that another attachment has is an error (104); nothing is changed then. */
export async function addHostPorts(nft: Nft, mappings: readonly PortMapping[], addresses: readonly string[], comment: string, options: HostPortOptions): Promise<void> {
  const rows = desiredPortRows(mappings, addresses, comment, options);
  if (rows.length === 0) return;
  // A killed ADD may have left rows of this very attachment.
  await deleteRows(nft, portSets, (each) => each === comment);
  refuseConflict(rows, await ownedRows(nft, portMaps, () => true));
  try {
    await addRows(nft, rulesetText, rows, options.signal);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    refuseConflict(rows, await ownedRows(nft, portMaps, () => true));
    throw error;
  }
  if (options.snat) allowLocalhost(addresses);
  forgetUdp(rows.flatMap((row) => (row.data === undefined ? [] : udpPortOf(row.key))));
}

/** Closes them. Returns the number of rows that went. */
export async function removeHostPorts(nft: Nft, isMine: (comment: string) => boolean): Promise<number> {
  const gone = await deleteRows(nft, portSets, isMine);
  forgetUdp(gone.filter((row) => row.set.data !== undefined).flatMap((row) => udpPortOf(row.element.key)));
  return gone.length;
}

/** Throws 105 when a row is missing or leads elsewhere. */
export async function checkHostPorts(nft: Nft, mappings: readonly PortMapping[], addresses: readonly string[], comment: string): Promise<void> {
  const present = await ownedRows(nft, portMaps, (each) => each === comment);
  for (const row of desiredPortRows(mappings, addresses, comment, { snat: false })) {
    const found = present.some((each) => each.set === row.set && same(each.element.key, row.key) && same(each.element.data, row.data));
    if (!found) throw new CniError(cniCode.checkFailed, `CHECK: host port ${words(row.key)} is not mapped to ${words(row.data)}`);
  }
}

/** An open port of any address and one of a single address exclude each other. */
function refuseConflict(wanted: readonly OwnedRow[], present: readonly FoundRow[]): void {
  for (const row of wanted) {
    if (row.data === undefined) continue;
    const [address, protocol, port] = wide(row.key);
    const other = present.find((each) => {
      const [theirs, ...rest] = wide(each.element.key);
      return sameFamily(each.set, row.set) && rest[0] === protocol && rest[1] === port && (theirs === undefined || address === undefined || theirs === address);
    });
    if (other === undefined) continue;
    throw new CniError(cniCode.hostPortConflict, `portMappings: host port ${words(row.key)} is taken by ${words(other.element.data)} (${other.element.comment ?? 'unknown'}); choose another hostPort or hostIP`);
  }
}

const sameFamily = (a: FoundRow['set'], b: FoundRow['set']): boolean => a.name.endsWith('4') === b.name.endsWith('4');

/** [address or undefined, protocol, port] of either kind of key. */
function wide(key: unknown): readonly [unknown, unknown, unknown] {
  const fields = key as readonly unknown[];
  return fields.length === 3 ? [fields[0], fields[1], fields[2]] : [undefined, fields[0], fields[1]];
}

function udpPortOf(key: unknown): readonly number[] {
  const [, protocol, port] = wide(key);
  return protocol === 'udp' ? [Number(port)] : [];
}

/** Without this an old UDP flow, which never ends by itself, goes on to where the port led before. */
function forgetUdp(hostPorts: readonly number[]): void {
  if (hostPorts.length === 0) return;
  using conntrack = Conntrack.open();
  for (const originalDstPort of new Set(hostPorts)) conntrack.deleteMatching({ protocol: udp, originalDstPort });
}

/** 127.0.0.1:hostPort leaves by the pod's interface only if that interface may route local addresses. */
function allowLocalhost(addresses: readonly string[]): void {
  using rt = openRoute();
  for (const text of addresses) {
    const cidr = parseCidr(text);
    if (cidr?.family !== 4) continue;
    const dev = getRoute(rt, formatIp({ family: 4, value: cidr.address })).dev;
    const name = dev === undefined ? undefined : getLink(rt, dev)?.name;
    if (name !== undefined && name !== 'lo') setSysctl(undefined, `net/ipv4/conf/${name}/route_localnet`, '1');
  }
}

const same = (a: unknown, b: unknown): boolean => words(a) === words(b);
const words = (value: unknown): string => (Array.isArray(value) ? value.map(String).join(' ') : String(value));
