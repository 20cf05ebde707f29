// What should happen: the pure model of the ruleset over the rows that the nodes' kernels hold, told before the packet is sent. Predicted
// beside observed; a disagreement is itself a finding. Pure.
import { explain } from '@podwire/proxy';
import type { Explanation, RuleRows } from '@podwire/proxy';
import { Directory } from './correlate/world.ts';
import type { World } from './correlate/world.ts';
import { rowsAgainstObjects } from './intent.ts';
import type { Predicted } from './model.ts';
import { endText } from './packet/decode.ts';

/** What a node's kernel holds, read once. */
export interface NodeRules {
  readonly rows: RuleRows;
  /** Addresses of the node itself, of the packet's family. */
  readonly addresses: readonly string[];
}

export interface PredictInput {
  readonly world: World;
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** The sender's address. */
  readonly source: string;
  /** The node whose rules meet the packet first: the sender's own, or the one by which it comes into the cluster. */
  readonly first: string;
  /** The node itself sends it: then its output hook meets it. */
  readonly isNodeItself: boolean;
  /** By the name of the node. */
  readonly rules: ReadonlyMap<string, NodeRules>;
}

/** The lab's proxies run with these. */
const ruleset = { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 } as const;
const protocolNumber = { tcp: 6, udp: 17 } as const;
const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

interface Met {
  readonly node: string;
  readonly source: string;
  readonly explanation: Explanation;
}

function meet(input: PredictInput, node: string, source: string, iif: string | undefined): Met | undefined {
  const here = input.rules.get(node);
  if (here === undefined) return undefined;
  const isLocal = (address: string): boolean => isLoopback(address) || here.addresses.includes(address);
  const packet = { source, destination: input.host, protocol: protocolNumber[input.protocol], port: input.port, ...(iif === undefined ? {} : { iif }) };
  return { node, source, explanation: explain(packet, here.rows, { isLocal, ruleset }) };
}

/** A node port of another node is no concern of the sender's own: it goes there, and its rules decide. What leaves the pods leaves with the node's address. */
function decidingNode(input: PredictInput): Met | undefined {
  const { first, host, world, isNodeItself } = input;
  const met = meet(input, first, input.source, isNodeItself ? undefined : 'eth0');
  const there = new Directory(world).node(host)?.metadata?.name;
  if (met?.explanation.outcome.kind !== 'untouched' || there === undefined || there === first) return met;
  const isPod = world.pods.some(({ status, spec }) => spec?.hostNetwork !== true && status?.podIPs?.some(({ ip }) => ip === input.source) === true);
  const isSameFamily = (address: string): boolean => address.includes(':') === host.includes(':');
  const sender = isPod ? world.nodes.find(({ metadata }) => metadata?.name === first)?.status?.addresses?.find(({ type, address }) => type === 'InternalIP' && isSameFamily(address))?.address : undefined;
  return meet(input, there, sender ?? input.source, 'eth0') ?? met;
}

function serviceName({ world, host, port, protocol }: PredictInput): string {
  const service = new Directory(world).service(host, port, protocol);
  return service === undefined ? 'nobody that the API knows' : `Service ${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}`;
}

function predictedOf(input: PredictInput, { node, source, explanation: { outcome, steps } }: Met): Omit<Predicted, 'finding'> {
  const directory = new Directory(input.world);
  const told = steps.map((step) => ({ node, ...step }));
  const because = `${steps.at(-1)?.why ?? ''} (${node}, chain ${steps.at(-1)?.chain ?? ''})`;
  switch (outcome.kind) {
    case 'untouched':
      return { text: `straight to ${directory.say(input.host)}: the address is no Service's`, outcome: 'direct', endpoints: [{ address: endText(input.host, input.port), share: 1, sources: [] }], steps: told };
    case 'reject':
      return { text: `refused (${outcome.with}): ${because}`, outcome: 'refused', endpoints: [], steps: told };
    case 'drop':
      return { text: `dropped: ${because}`, outcome: 'dropped', endpoints: [], steps: told };
    case 'endpoints': {
      const here = input.rules.get(node);
      const own = here?.addresses ?? [];
      // What a pod sends out of the pods' network leaves with the node's address, whatever the Service rules say; what stays on the node
      // passes no postrouting hook, and keeps its source whatever they say.
      const leavesPods = (address: string): boolean => here?.rows.inSet('pod-net', source) === true && !here.rows.inSet('pod-net', address);
      const sourcesAt = (address: string, isMasqueraded: boolean): readonly string[] => (!own.includes(address) && (isMasqueraded || leavesPods(address)) ? own : [source]);
      const endpoints = outcome.choices.map(({ address, port, share, isMasqueraded }) => ({ address: endText(address, port), share, sources: sourcesAt(address, isMasqueraded) }));
      const named = outcome.choices.map(({ address, port }) => `${endText(address, port)} (${directory.say(address)})`).join(', ');
      const masquerade = endpoints.every(({ sources }) => sources === own) ? `; the source becomes ${node}'s` : '';
      return { text: `one of ${endpoints.length} endpoint${endpoints.length === 1 ? '' : 's'} of ${serviceName(input)}: ${named}${masquerade}`, outcome: 'endpoints', endpoints, steps: told };
    }
  }
}

export function predict(input: PredictInput): Predicted {
  const met = decidingNode(input);
  if (met === undefined) return { text: `nothing: ${input.first === '' ? 'no node is the next on its way' : `${input.first} runs no proxy`}`, outcome: 'unknown', endpoints: [], steps: [] };
  const predicted = predictedOf(input, met);
  const finding = rowsAgainstObjects(input, met.node, predicted);
  return finding === undefined ? predicted : { ...predicted, finding };
}
