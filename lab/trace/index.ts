// The packet trace: one real probe packet, followed through every namespace of the lab. See README.md.
import { randomBytes } from 'node:crypto';
import { encode, HEADER_BYTES } from 'dgram-rpc';
import ipaddr from 'ipaddr.js';
import { resources } from '@podwire/kube-client';
import type { KubeClient } from '@podwire/kube-client';
import { adminClient } from '../cluster/client.ts';
import { dockerClient } from '../engine/client.ts';
import { LabError } from '../errors.ts';
import { padded } from '../probe/protocol.ts';
import type { Lab } from '../state/existing.ts';
import { underlayAddresses } from '../state/spec.ts';
import { tcpKey } from './correlate/assemble.ts';
import type { ProbeKey } from './correlate/identity.ts';
import { assembleRecording } from './correlate/recording.ts';
import type { Recording } from './correlate/recording.ts';
import { trailOf } from './correlate/trail.ts';
import { Directory } from './correlate/world.ts';
import type { World } from './correlate/world.ts';
import type { Trace } from './model.ts';
import { predict } from './predict.ts';
import { suspicionsOf } from './sources/inspect.ts';
import { rulesOf, wayTo } from './sources/node-rules.ts';
import type { WayThere } from './sources/node-rules.ts';
import { observeProbe } from './sources/observe.ts';
import { placesOf } from './sources/place-netns.ts';
import type { OpenPlace } from './sources/place-netns.ts';
import { parseFrom, parseTo } from './target.ts';
import type { Family, From } from './target.ts';

export type { Hop, Trace } from './model.ts';
export type { Recording } from './correlate/recording.ts';
export { replay, saveRecording } from './correlate/recording.ts';
export { renderHtml } from './render/html.ts';
export { renderText, renderTree, verdictLine } from './render/text.ts';

export interface TraceOptions {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp';
  /** How long to wait for the answer; default 1500. */
  readonly timeoutMs?: number;
  /** UDP: pads the datagram's payload to this many bytes; it must not be fragmented on the way. */
  readonly size?: number;
  /** Which address of a pod or Service that has both; default its first. */
  readonly family?: Family;
  /** Sends from this port, to meet a connection that is tracked already; default any. */
  readonly sourcePort?: number;
}

async function readWorld(client: KubeClient): Promise<World> {
  const [pods, nodes, services, slices] = await Promise.all([client.list(resources.pods), client.list(resources.nodes), client.list(resources.services), client.list(resources.endpointSlices)]);
  return { pods: pods.items, nodes: nodes.items, services: services.items, slices: slices.items };
}

function placeOf(from: From, places: readonly OpenPlace[]): OpenPlace {
  const name = from.kind === 'outside' ? 'machine' : from.kind === 'node' ? from.name : `${from.namespace}/${from.name}`;
  const kind = from.kind === 'outside' ? 'machine' : from.kind;
  const found = places.find((place) => place.kind === kind && place.name === name);
  if (found === undefined) throw new LabError('EUSAGE', `${name} has no network namespace of its own now; a hostNetwork pod is traced as node/NAME, one that does not run cannot send`);
  return found;
}

/** From outside only the underlay can be reached: anything else would leave the machine for strangers. */
function requireReachable(host: string, spec: Lab['spec']): void {
  const address = ipaddr.parse(host);
  const { v6 } = underlayAddresses(spec);
  const own = [spec.underlayCIDR, ...(v6 === undefined ? [] : [`${v6.gateway}/${v6.prefix}`])].map((cidr) => ipaddr.parseCIDR(cidr));
  if (own.some((network) => address.kind() === network[0].kind() && address.match(network))) return;
  throw new LabError('EUSAGE', `outside cannot reach ${host}: the machine has a way only to the nodes (${spec.underlayCIDR}); trace to a node port, NODE-IP:PORT, or from a pod or node/NAME`);
}

interface Foretold {
  readonly world: World;
  readonly from: From;
  readonly host: string;
  readonly way: WayThere;
  /** The node by which the packet came into the cluster: among equal routes chance decides. */
  readonly entered: string | undefined;
}

/** The node whose rules meet the packet first. */
function firstNode({ world, from, host, way, entered }: Foretold): string {
  if (from.kind === 'pod') return from.node;
  if (from.kind === 'node') return from.name;
  const directory = new Directory(world);
  return entered ?? (directory.node(host) ?? directory.node(way.gateway ?? ''))?.metadata?.name ?? '';
}

/** Sends one probe and keeps all that was observed of it. Needs root and a running lab; leaves nothing behind in any namespace. */
export async function recordLab(lab: Lab, options: TraceOptions): Promise<Recording> {
  if (lab.spec.engine === undefined) throw new LabError('ENOLAB', 'the lab is down; bring it up with: podwire up');
  const client = adminClient(lab.names);
  try {
    const world = await readWorld(client);
    const from = parseFrom(options.from, world);
    const to = parseTo(options.to, world, options.protocol, options.family);
    if (from.kind === 'outside') requireReachable(to.host, lab.spec);
    const places = await placesOf(lab, dockerClient(lab.spec.engine.host));
    const sender = placeOf(from, places);
    const nonce = `trace-${randomBytes(9).toString('hex')}`;
    const payload = encode({ kind: 'request', id: randomBytes(8).toString('hex'), payload: padded(`probe ${nonce} 0\n`, options.size ?? 0) });
    // Read before the packet is sent: it must not change what foretells it (affinity).
    const [way, rules] = await Promise.all([wayTo(sender, to.host), rulesOf(places.filter(({ kind }) => kind === 'node'), to.host)]);
    // Captures keep the head of a packet only.
    const nonceEnd = HEADER_BYTES + 6 + nonce.length;
    const observed = await observeProbe({ from: sender, protocol: options.protocol, host: to.host, port: to.port, ports: to.ports, payload, timeoutMs: options.timeoutMs ?? 1500, sourcePort: options.sourcePort ?? 0 }, places);
    const udpKey: ProbeKey = { protocol: 'udp', nonce, requestHex: payload.subarray(0, nonceEnd).toString('hex'), sourcePort: observed.probe.sourcePort };
    // A SYN that was never sent has no number: 0 matches nothing that was seen.
    const key = options.protocol === 'udp' ? udpKey : (tcpKey(observed, `${sender.kind}/${sender.name}`, to.host, to.port) ?? { protocol: 'tcp', sequence: -1 });
    const entered = trailOf(observed.observations, key, 'request').find(({ place }) => place.kind === 'node')?.place.name;
    const first = firstNode({ world, from, host: to.host, way, entered });
    return {
      from: from.kind === 'outside' ? 'outside' : from.kind === 'node' ? `node/${from.name}` : `pod ${from.namespace}/${from.name} on ${from.node}`,
      to: to.label, host: to.host, port: to.port, key, observed, world,
      prediction: predict({ world, host: to.host, port: to.port, protocol: options.protocol, source: way.source ?? rules.get(first)?.addresses[0] ?? to.host, first, isNodeItself: from.kind === 'node', rules }),
      suspicions: suspicionsOf({ places, world, from: sender, host: to.host, observed, protocol: options.protocol, key }),
    };
  } finally {
    client.close();
  }
}

/** Sends one probe and follows it. */
export async function traceLab(lab: Lab, options: TraceOptions): Promise<Trace> {
  return assembleRecording(await recordLab(lab, options));
}
