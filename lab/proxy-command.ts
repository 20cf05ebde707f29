// `podwire proxy show` and `podwire proxy explain`: what a node's kernel holds for a Service beside what is intended, and what would
// happen to a packet there and why. Read only; the packet is not sent (that is `podwire trace`).
import { KernelNft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import type { KubeClient } from '@podwire/kube-client';
import { explainPacket, explanationText, parseQuestion, QuestionError, showService, shownText } from '@podwire/proxy';
import type { Packet } from '@podwire/proxy';
import { adminClient } from './cluster/client.ts';
import { LabError } from './errors.ts';
import { ipInside } from './network/namespace.ts';
import { nodeNetns } from './node-command.ts';
import { nodeName } from './state/names.ts';
import { underlayAddresses } from './state/spec.ts';
import type { Lab } from './state/existing.ts';

const allNodes = ({ spec }: Lab): readonly string[] => Array.from({ length: spec.nodes }, (_, at) => nodeName(at + 1));

/** Returns 0 when every node's kernel holds what is intended, else 1. */
export async function proxyShow(lab: Lab, serviceName: string, node: string | undefined): Promise<0 | 1> {
  const slash = serviceName.indexOf('/');
  const service = slash < 0 ? { namespace: 'default', name: serviceName } : { namespace: serviceName.slice(0, slash), name: serviceName.slice(slash + 1) };
  const client = adminClient(lab.names);
  let isEqual = true;
  try {
    await requireService(client, service);
    for (const nodeName of node === undefined ? allNodes(lab) : [node]) {
      using nft = KernelNft.open({ netns: await nodeNetns(lab.names, lab.spec, nodeName) });
      const shown = await showService({ client, nft, nodeName, service });
      process.stdout.write(`${nodeName}: ${shownText(shown)}\n`);
      isEqual &&= shown.isEqual;
    }
  } finally {
    client.close();
  }
  return isEqual ? 0 : 1;
}

async function requireService(client: KubeClient, { namespace, name }: { readonly namespace: string; readonly name: string }): Promise<void> {
  const { items } = await client.list(resources.services);
  const names = items.map(({ metadata }) => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`);
  if (!names.includes(`${namespace}/${name}`)) throw new LabError('EUSAGE', `no Service '${namespace}/${name}'; there are: ${names.sort().join(', ')}`);
}

/** Where the packet meets the rules: the node of the pod that sends it, or the one that it is sent to. */
async function nodeOf(lab: Lab, client: KubeClient, packet: Packet): Promise<string> {
  const addresses = underlayAddresses(lab.spec);
  const atNode = allNodes(lab).find((_, at) => [packet.source, packet.destination].includes(addresses.node(at + 1)));
  const pods = await client.list(resources.pods);
  const sender = pods.items.find(({ status, spec }) => spec?.hostNetwork !== true && status?.podIP === packet.source);
  const found = sender?.spec?.nodeName ?? atNode;
  if (found === undefined) throw new LabError('EUSAGE', `${packet.source} is neither a pod's nor a node's address, and ${packet.destination} no node's; say where with --node`);
  return found;
}

/** Addresses of the node itself, and the device by which the packet comes in (none when the node sends it). */
async function placeOf(netns: string, packet: Packet): Promise<{ readonly local: ReadonlySet<string>; readonly device: string | undefined }> {
  const shown = JSON.parse((await ipInside(netns, ['-json', 'address', 'show'])) || '[]') as readonly { readonly addr_info?: readonly { readonly local: string }[] }[];
  const local = new Set(shown.flatMap(({ addr_info }) => addr_info?.map((one) => one.local) ?? []));
  if (local.has(packet.source)) return { local, device: undefined };
  const routes = JSON.parse((await ipInside(netns, ['-json', 'route', 'get', packet.source])) || '[]') as readonly { readonly dev?: string }[];
  return { local, device: routes[0]?.dev ?? 'eth0' };
}

/** `10.244.1.2 -> 10.96.0.10:80/tcp` */
export async function proxyExplain(lab: Lab, words: readonly string[], node: string | undefined): Promise<0 | 1> {
  let packet: Packet;
  try {
    packet = parseQuestion(words.join(' '));
  } catch (error) {
    if (error instanceof QuestionError) throw new LabError('EUSAGE', error.message, { cause: error });
    throw error;
  }
  const client = adminClient(lab.names);
  try {
    const where = node ?? (await nodeOf(lab, client, packet));
    const netns = await nodeNetns(lab.names, lab.spec, where);
    const { local, device } = await placeOf(netns, packet);
    using nft = KernelNft.open({ netns });
    const asked: Packet = { ...packet, ...(device === undefined ? {} : { iif: device }) };
    const explanation = await explainPacket({ nft, packet: asked, node: { isLocal: (address) => local.has(address) || address.startsWith('127.'), ruleset: { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 } } });
    process.stdout.write(`on ${where}: ${explanationText(asked, explanation)}\n`);
    return 0;
  } finally {
    client.close();
  }
}
