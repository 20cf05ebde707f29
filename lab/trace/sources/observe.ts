// Sends one probe and records all that the kernel says about it in every place at once: captures, rules met, connections tracked, drops.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Conntrack } from 'nftables-js';
import type { ConntrackTuple, TraceEvent } from 'nftables-js';
import type { ConntrackFact, DropFact, Ends, Observation, RuleEvent } from '../model.ts';
import { decodeFrame, decodeNetwork } from '../packet/decode.ts';
import type { Drop } from './drop-events.ts';
import { DropWatch } from './drop-watch.ts';
import { PacketSocket } from './packet-socket.ts';
import { deviceNames } from './place-netns.ts';
import type { OpenPlace } from './place-netns.ts';
import type { ProbeResult } from './probe-once.ts';
import { RuleWatch } from './rule-watch.ts';
import { ruleTexts } from './rule-texts.ts';
import { markProbe, nftInside, unmarkProbe } from './trace-table.ts';

export interface ProbeRequest {
  readonly from: OpenPlace;
  readonly protocol: 'tcp' | 'udp';
  readonly host: string;
  readonly port: number;
  /** Every port on which the probe or its answer may be seen: the asked one and those of the endpoints. */
  readonly ports: readonly number[];
  /** UDP only. */
  readonly payload: Buffer;
  readonly timeoutMs: number;
  /** 0: any. A flow that is tracked already is found again only from its own port. */
  readonly sourcePort: number;
}

export interface Observed {
  readonly probe: ProbeResult;
  readonly observations: readonly Observation[];
  readonly rules: readonly RuleEvent[];
  readonly conntrack: readonly ConntrackFact[];
  readonly drops: readonly DropFact[];
  readonly notes: readonly string[];
}

/** How long the last packets (the answer's acknowledgment, an ICMP error) may still be on their way. */
const settleMs = 60;
const drainEveryMs = 10;

async function sendProbe({ from, protocol, host, port, payload, timeoutMs, sourcePort }: ProbeRequest): Promise<ProbeResult> {
  const program = [process.execPath, fileURLToPath(new URL('./probe-once.ts', import.meta.url)), protocol, host, String(port), String(timeoutMs), payload.toString('hex'), String(sourcePort)];
  const [command = '', ...args] = from.netns === undefined ? program : ['/usr/bin/nsenter', `--net=${from.netns}`, '--', ...program];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, problem] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (!output.startsWith('{')) throw new Error(`trace: the probe at ${from.name} did not run: ${problem.trim()}`);
  return JSON.parse(output) as ProbeResult;
}

const verdictText = ({ verdict, policy }: TraceEvent): string => (verdict === undefined ? (policy ?? '') : verdict.chain === undefined ? verdict.verdict : `${verdict.verdict} ${verdict.chain}`);

function toRuleEvent(place: OpenPlace, event: TraceEvent, texts: ReadonlyMap<string, string>): RuleEvent {
  const handle = event.ruleHandle === undefined ? undefined : Number(event.ruleHandle);
  const header = event.networkHeader;
  const packet = header === undefined ? undefined : decodeNetwork(Buffer.concat([header, event.transportHeader ?? Buffer.alloc(0)]), (header[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800);
  const rule = handle === undefined ? undefined : texts.get(`${event.family} ${event.table} ${event.chain} ${handle}`);
  return {
    place: { kind: place.kind, name: place.name, ...(place.node === undefined ? {} : { node: place.node }) },
    family: event.family, table: event.table, chain: event.chain, kind: event.type === 'unknown' ? 'rule' : event.type, verdict: verdictText(event), traceId: event.traceId,
    ...(handle === undefined ? {} : { handle }), ...(rule === undefined ? {} : { text: rule }), ...(packet === undefined ? {} : { packet }),
    ...(event.mark === undefined ? {} : { mark: event.mark }), ...(event.conntrackId === undefined ? {} : { conntrackId: event.conntrackId }),
  };
}

/** All rules of a place, `family table chain handle` -> text; elements are left out, there may be very many. */
const textsOf = async ({ netns }: OpenPlace): Promise<ReadonlyMap<string, string>> => ruleTexts(await nftInside(netns, ['-a', '-t', 'list', 'ruleset']));

const ends = (tuple: ConntrackTuple): Ends => ({ source: tuple.src, sourcePort: tuple.srcPort ?? 0, destination: tuple.dst, destinationPort: tuple.dstPort ?? 0 });

function conntrackOf(place: OpenPlace, request: ProbeRequest): readonly ConntrackFact[] {
  using conntrack = Conntrack.open(place.netns === undefined ? {} : { netns: place.netns });
  const protocol = request.protocol === 'tcp' ? 6 : 17;
  const entries = conntrack.list({ family: request.host.includes(':') ? 'ip6' : 'ip', protocol });
  return entries.filter(({ original, reply }) => [original.dstPort, reply.srcPort].some((port) => port !== undefined && request.ports.includes(port))).map((entry) => ({ place, id: entry.id, protocol: request.protocol, original: ends(entry.original), reply: ends(entry.reply), mark: entry.mark }));
}

interface Capture {
  readonly place: OpenPlace;
  readonly socket: PacketSocket;
  readonly devices: ReadonlyMap<number, string>;
}

/** A pod may end between the listing and now: then there is nothing to see in it, unless it was to send. */
function openCapture(place: OpenPlace, sender: OpenPlace): Capture | undefined {
  try {
    const devices = deviceNames(place);
    return { place, socket: PacketSocket.open(place.netns), devices };
  } catch (error) {
    if (place.kind === 'pod' && place.name !== sender.name && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Runs the probe once. Everything opened is closed and everything written into a place is taken out again, also on failure. */
export async function observeProbe(request: ProbeRequest, places: readonly OpenPlace[]): Promise<Observed> {
  await using undo = new AsyncDisposableStack();
  const notes: string[] = [];
  const observations: Observation[] = [];
  const events: { place: OpenPlace; event: TraceEvent }[] = [];
  const filtering = places.filter(({ kind }) => kind === 'node');
  const family = request.host.includes(':') ? 'ip6' : 'ip';
  undo.defer(async () => { await Promise.all(filtering.map(async ({ netns }) => unmarkProbe(netns, family))); });
  const texts = new Map(await Promise.all(filtering.map(async (place) => {
    await markProbe(place.netns, { family, protocol: request.protocol, ports: request.ports });
    return [place.name, await textsOf(place)] as const;
  })));
  const watches = filtering.map((place) => ({ place, watch: undo.use(RuleWatch.open(place.netns)) }));
  const captures = places.flatMap((place) => openCapture(place, request.from) ?? []).map((capture) => ({ ...capture, socket: undo.use(capture.socket) }));
  const drain = (): void => {
    for (const { place, watch } of watches) for (const event of watch.drain(() => notes.push(`${place.name}: some rule events were lost (ENOBUFS)`))) events.push({ place, event });
    for (const { place, socket, devices } of captures) {
      for (const { ifindex, direction, timeNs, frame } of socket.drain()) {
        const packet = decodeFrame(frame);
        if (packet !== undefined) observations.push({ place, device: devices.get(ifindex) ?? `if${ifindex}`, direction, timeNs, packet });
      }
    }
  };
  const note = (text: string): void => void notes.push(text);
  const dropWatch = undo.use(DropWatch.open(note));
  drain();
  observations.length = 0;
  events.length = 0;
  const timer = setInterval(drain, drainEveryMs);
  undo.defer(() => clearInterval(timer));
  const probe = await sendProbe(request);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  drain();
  const drops = (dropWatch?.drops(note) ?? []).map(dropFact);
  const rules = events.filter(({ event }) => event.table !== 'podwire-trace').map(({ place, event }) => toRuleEvent(place, event, texts.get(place.name) ?? new Map()));
  return { probe, observations, rules, drops, notes, conntrack: filtering.flatMap((place) => conntrackOf(place, request)) };
}

function dropFact({ reason, location, seen, timeNs }: Drop): DropFact {
  const last = seen.at(-1);
  return { reason, location, device: last?.device ?? '', length: last?.length ?? 0, timeNs, ...(last === undefined ? {} : { seenNs: last.timeNs }) };
}
