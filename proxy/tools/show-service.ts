// `podwire proxy show SERVICE`: what the API server's objects call for, what the kernel holds, and where they differ.
import { resources } from '@podwire/kube-client';
import type { KubeClient } from '@podwire/kube-client';
import type { Nft } from 'nftables-js';
import { FAMILIES } from '../core/address.ts';
import type { IpFamily } from '../core/address.ts';
import { CLASS, desiredService } from '../core/desired.ts';
import type { DesiredPort } from '../core/desired.ts';
import { HASHED, TWIN, classOf, idOf, isTwinId } from '../core/rows.ts';
import type { RuleRows } from '../core/explain.ts';
import { PROTOCOL_NAMES, parseService } from '../core/service-info.ts';
import { parseSlice } from '../core/slice-info.ts';
import { nodeFacts } from '../driver/node-facts.ts';
import { readKernel } from './kernel-view.ts';

export interface ShowOptions {
  readonly client: Pick<KubeClient, 'get' | 'list'>;
  /** Of the node's namespace. */
  readonly nft: Nft;
  readonly nodeName: string;
  readonly service: { readonly namespace: string; readonly name: string };
}

/** One frontend of one family: intent beside kernel, both as text that can be compared. */
export interface ShownFront {
  readonly family: IpFamily;
  /** `10.96.0.10:80/TCP`, `node port 30080/TCP` */
  readonly front: string;
  readonly intended: string | undefined;
  readonly programmed: string | undefined;
  /** The kernel's rows that say so. */
  readonly rows: readonly string[];
  readonly isEqual: boolean;
}

export interface ShownService { readonly service: string; readonly isServed: boolean; readonly problems: readonly string[]; readonly fronts: readonly ShownFront[]; readonly isEqual: boolean }

const CLASS_WORDS: Readonly<Record<number, string>> = {
  [CLASS.clusterIP]: 'cluster-ip', [CLASS.externalCluster]: 'external-cluster', [CLASS.externalLocal]: 'external-local', [CLASS.noEndpoints]: 'no-endpoints',
  [CLASS.guardCluster]: 'guard-cluster', [CLASS.guardLocal]: 'guard-local', [CLASS.guardNone]: 'guard-none',
};
const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

export async function showService({ client, nft, nodeName, service }: ShowOptions): Promise<ShownService> {
  const object = await client.get(resources.services, service);
  const slices = await client.list(resources.endpointSlices, { namespace: service.namespace, labelSelector: `kubernetes.io/service-name=${service.name}` });
  const node = nodeFacts(await client.get(resources.nodes, { name: nodeName }));
  const info = parseService(object);
  const parsed = slices.items.map(parseSlice).filter((slice) => slice !== undefined).filter((slice) => slice.service === `${service.namespace}/${service.name}`);
  const fronts: ShownFront[] = [];
  for (const family of FAMILIES) {
    const view = await readKernel(nft, family);
    const wanted = info === undefined ? undefined : desiredService(info, parsed, family, { name: node.name, zone: node.zone, ips: node.addresses });
    for (const port of wanted?.ports ?? []) fronts.push(...port.fronts.map((front) => shownFront(family, port, front, view?.rows)));
  }
  return {
    service: `${service.namespace}/${service.name}`, isServed: info !== undefined, problems: [...(info?.problems ?? []), ...parsed.flatMap((slice) => slice.problems)],
    fronts, isEqual: fronts.every((front) => front.isEqual),
  };
}

function shownFront(family: IpFamily, port: DesiredPort, front: DesiredPort['fronts'][number], rows: RuleRows | undefined): ShownFront {
  const name = `${front.address === '' ? 'node port ' : front.address.includes(':') ? `[${front.address}]:` : `${front.address}:`}${front.port}/${PROTOCOL_NAMES[front.protocol] ?? front.protocol}`;
  const list = (keys: readonly string[]): string => (keys.length === 0 ? 'none' : keys.toSorted().join(', '));
  const local = port.local === undefined ? '' : `; local: ${list(port.local.map(({ key }) => key))}`;
  const intended = `${CLASS_WORDS[front.class] ?? ''}${front.isTwin ? ' (local only)' : ''}: ${list(port.cluster.map(({ key }) => key))}${local}`;
  const value = front.address === '' ? rows?.nodePort(front.protocol, front.port) : rows?.service(front.address, front.protocol, front.port);
  if (rows === undefined || value === undefined) return { family, front: name, intended, programmed: undefined, rows: [], isEqual: false };
  const base = isTwinId(idOf(value)) ? idOf(value) - TWIN : idOf(value);
  const text: string[] = [`${front.address === '' ? 'node-port' : 'service'}: ${hex(value)}`];
  const members = (id: number): string[] | undefined => {
    const count = rows.count(id);
    if (count === undefined) return undefined;
    text.push(`count ${hex(id)} : ${count >= HASHED ? `${count - HASHED} hashed` : count}`);
    const ids = Array.from({ length: count >= HASHED ? count - HASHED : count }, (_, index) => rows.slot(id, index));
    return [...new Set(ids)].map((endpointId) => {
      const endpoint = endpointId === undefined ? undefined : rows.endpoint(endpointId);
      const key = endpoint === undefined ? '(missing)' : `${endpoint.address} ${endpoint.port}`;
      text.push(`endpoint ${hex(endpointId ?? 0)} : ${key}`);
      return key;
    });
  };
  const all = members(base);
  const twin = port.local === undefined ? undefined : members(base + TWIN);
  const programmed = `${CLASS_WORDS[classOf(value)] ?? ''}${isTwinId(idOf(value)) ? ' (local only)' : ''}: ${list(all ?? [])}${port.local === undefined ? '' : `; local: ${list(twin ?? [])}`}`;
  return { family, front: name, intended, programmed, rows: text, isEqual: intended === programmed };
}

export function shownText(shown: ShownService): string {
  if (!shown.isServed) return `${shown.service}: not for the proxy (headless, ExternalName, another proxy's, or without a cluster IP)`;
  return [
    `${shown.service}: ${shown.isEqual ? 'the kernel holds what is intended' : 'THE KERNEL DIFFERS from what is intended'}`,
    ...shown.problems.map((problem) => `  problem: ${problem}`),
    ...shown.fronts.flatMap((front) => [
      `  ${front.isEqual ? '=' : '!'} ${front.front} (${front.family})`,
      `      intended    ${front.intended ?? 'nothing'}`,
      `      in kernel   ${front.programmed ?? 'nothing'}`,
      ...front.rows.map((row) => `        ${row}`),
    ]),
  ].join('\n');
}
