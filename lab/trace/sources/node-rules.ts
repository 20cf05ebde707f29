// What the prediction needs of the kernels: the rows of the nodes' tables, their addresses, and the source that a sender would take.
import { KernelNft } from 'nftables-js';
import { listAddresses, openRoute } from '@podwire/netlink';
import { readKernel } from '@podwire/proxy';
import { ipInside } from '../../network/namespace.ts';
import { run } from '../../processes/run.ts';
import type { NodeRules } from '../predict.ts';
import type { OpenPlace } from './place-netns.ts';

/** Of every node that runs a proxy, for the family of this address. */
export async function rulesOf(nodes: readonly OpenPlace[], host: string): Promise<ReadonlyMap<string, NodeRules>> {
  const family = host.includes(':') ? 'ip6' : 'ip';
  const found = await Promise.all(nodes.map(async ({ name, netns }) => {
    using nft = KernelNft.open(netns === undefined ? {} : { netns });
    const view = await readKernel(nft, family);
    if (view === undefined) return [];
    const socket = openRoute(netns === undefined ? {} : { netns });
    try {
      return [[name, { rows: view.rows, addresses: listAddresses(socket, { family: family === 'ip6' ? 6 : 4 }).map(({ address }) => address.replace(/\/\d+$/, '')) }] as const];
    } finally {
      socket.close();
    }
  }));
  return new Map(found.flat());
}

export interface WayThere {
  /** The address that the sender takes as its own; undefined: it has no route. */
  readonly source: string | undefined;
  /** The next machine; undefined: the destination is on the sender's own network. */
  readonly gateway: string | undefined;
}

/** `ip -json route get HOST` */
export async function wayTo({ netns }: OpenPlace, host: string): Promise<WayThere> {
  const args = ['-json', 'route', 'get', host];
  try {
    const [route] = JSON.parse(netns === undefined ? await run(['/usr/sbin/ip', ...args]) : await ipInside(netns, args)) as readonly { readonly prefsrc?: string; readonly gateway?: string }[];
    return { source: route?.prefsrc, gateway: route?.gateway };
  } catch {
    return { source: undefined, gateway: undefined }; // unreachable: the trace itself says so
  }
}
