// `podwire proxy explain SRC -> DST:PORT/PROTO`: the model over a namespace's rows, as text for people.
import type { Nft } from 'nftables-js';
import { canonicalAddress, familyOf } from '../core/address.ts';
import { explain } from '../core/explain.ts';
import type { Explanation, NodeView, Packet } from '../core/explain.ts';
import { PROTOCOL_NAMES, PROTOCOL_NUMBERS } from '../core/service-info.ts';
import { readKernel } from './kernel-view.ts';

export class QuestionError extends Error {
  override readonly name = 'QuestionError';
  readonly code = 'EQUESTION';
}

/** `10.244.1.2 -> 10.96.0.10:80/tcp`; IPv6 destinations in brackets. */
export function parseQuestion(text: string): Packet {
  const match = /^\s*(\S+)\s*->\s*(?:\[([^\]]+)\]|([^\s:\]]+)):(\d{1,5})(?:\/([a-z]+))?\s*$/i.exec(text);
  const source = canonicalAddress(match?.[1]);
  const destination = canonicalAddress(match?.[2] ?? match?.[3]);
  const protocol = PROTOCOL_NUMBERS[(match?.[5] ?? 'tcp').toUpperCase()];
  const port = Number(match?.[4]);
  if (source === undefined || destination === undefined || protocol === undefined || !(port >= 1 && port <= 65_535) || familyOf(source) !== familyOf(destination)) {
    throw new QuestionError(`"${text}" is not a question: write SOURCE -> ADDRESS:PORT/tcp, for example 10.244.1.2 -> 10.96.0.10:80/tcp (both of one IP family)`);
  }
  return { source, destination, protocol, port };
}

export interface ExplainOptions {
  readonly nft: Nft;
  readonly packet: Packet;
  readonly node: NodeView;
}

/** What the kernel's rows of this namespace would do with the packet. `packet.iif` absent: the node itself sends it. */
export async function explainPacket({ nft, packet, node }: ExplainOptions): Promise<Explanation> {
  const family = familyOf(packet.destination);
  const view = await readKernel(nft, family);
  if (view === undefined) throw new QuestionError(`there is no table "${family} podwire" here: no proxy has run in this namespace; start one, or look in the right node`);
  return explain(packet, view.rows, node);
}

export function explanationText(packet: Packet, { outcome, steps }: Explanation): string {
  const to = `${packet.destination.includes(':') ? `[${packet.destination}]` : packet.destination}:${packet.port}/${PROTOCOL_NAMES[packet.protocol] ?? packet.protocol}`;
  const verdict = outcome.kind === 'endpoints'
    ? `goes to ${outcome.choices.map(({ address, port, share, isMasqueraded }) => `${address.includes(':') ? `[${address}]` : address}:${port} (${Math.round(share * 100)} %${isMasqueraded ? ', source masqueraded' : ''})`).join(', ')}`
    : outcome.kind === 'reject' ? `is refused (${outcome.with})` : outcome.kind === 'drop' ? 'is dropped without a word' : 'is not a Service\'s: the routes decide';
  const width = Math.max(...steps.map(({ chain }) => chain.length));
  return [`${packet.source} -> ${to} ${verdict}`, ...steps.map(({ chain, rule, why }) => `  ${chain.padEnd(width)}  ${rule}\n  ${''.padEnd(width)}    because ${why}`)].join('\n');
}
