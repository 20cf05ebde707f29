// Which pod a live connection through a Service has: connection tracking says where it was sent, the API server says whose addresses
// these are.
import { Conntrack } from 'nftables-js';
import type { ConntrackEntry } from 'nftables-js';
import type { Pod, Service } from '@podwire/kube-client';
import { nodeNetns } from './node-command.ts';
import type { LabNames } from './state/names.ts';
import type { LabSpec } from './state/spec.ts';
import { endText } from './trace/packet/decode.ts';

export interface LiveConnection {
  /** Where it was rewritten: the node of the client, or the one that the world outside came to. */
  readonly node: string;
  readonly protocol: string;
  /** `default/web-abc`, a node's name, or the address; with the port. */
  readonly client: string;
  /** `default/web:80`, or the address that no Service has any more. */
  readonly service: string;
  readonly backend: string;
  /** ESTABLISHED and the like; UDP has none. */
  readonly state: string;
}

const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
/** Neither end uses these any more. */
const OVER: readonly string[] = ['TIME_WAIT', 'CLOSE', 'LAST_ACK'];

export interface Addresses {
  /** Address -> namespace/name of the pod, or name of the node. */
  readonly owners: ReadonlyMap<string, string>;
  /** `address protocol port` -> namespace/name:port; node ports have the address ''. */
  readonly services: ReadonlyMap<string, string>;
}

export function addressesOf(pods: readonly Pod[], services: readonly Service[], nodes: ReadonlyMap<string, string>): Addresses {
  const owners = new Map<string, string>();
  for (const [address, name] of nodes) owners.set(address, name);
  for (const { metadata, spec, status } of pods) {
    if (spec?.hostNetwork === true || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue;
    for (const { ip } of status?.podIPs ?? []) if (ip !== undefined) owners.set(ip, `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`);
  }
  const fronts = new Map<string, string>();
  for (const { metadata, spec, status } of services) {
    const addresses = [...spec?.clusterIPs ?? [], ...spec?.externalIPs ?? [], ...(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '')];
    for (const { port, protocol = 'TCP', nodePort } of spec?.ports ?? []) {
      const name = `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}:${port}`;
      for (const address of addresses) fronts.set(`${address} ${protocol} ${port}`, name);
      if (nodePort !== undefined) fronts.set(` ${protocol} ${nodePort}`, name);
    }
  }
  return { owners, services: fronts };
}

/** The connections of one node that a Service rewrote and that both ends still use. */
export function namedConnections(node: string, entries: readonly ConntrackEntry[], { owners, services }: Addresses): LiveConnection[] {
  const at = (address: string, port: number): string => {
    const owner = owners.get(address);
    return owner === undefined ? endText(address, port) : `${owner}:${port}`;
  };
  return entries.flatMap(({ flags, original, protocol, reply, tcpState = '' }) => {
    if (!flags.includes('DST_NAT') || !flags.includes('SEEN_REPLY') || OVER.includes(tcpState)) return [];
    const { srcPort = 0, dstPort = 0 } = original;
    const name = PROTOCOLS[protocol] ?? String(protocol);
    const service = services.get(`${original.dst} ${name} ${dstPort}`) ?? services.get(` ${name} ${dstPort}`) ?? at(original.dst, dstPort);
    return [{ node, protocol: name, client: at(original.src, srcPort), service, backend: at(reply.src, reply.srcPort ?? 0), state: tcpState }];
  });
}

/** Of every node that is up; a node that is down has none. Reading them needs root: without it there are none to be seen. */
export async function liveConnections(names: LabNames, spec: LabSpec, nodes: readonly string[], addresses: Addresses): Promise<LiveConnection[]> {
  const found: LiveConnection[] = [];
  if (process.getuid?.() !== 0) return found;
  for (const node of nodes) {
    const netns = await nodeNetns(names, spec, node).catch(() => undefined);
    if (netns === undefined) continue;
    using conntrack = Conntrack.open({ netns });
    found.push(...namedConnections(node, conntrack.list(), addresses));
  }
  return found;
}
