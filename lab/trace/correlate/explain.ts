// One sentence of why for each step, and the command that shows the same by hand. Pure.
import type { Place, RuleEvent, Stage } from '../model.ts';
import type { Sighting } from './trail.ts';
import type { Directory } from './world.ts';

export interface Explanation {
  readonly why: string;
  readonly command: string;
}

/** How to run a command in that place. */
export function inPlace({ kind, name, node }: Place, command: string): string {
  if (kind === 'node') return `./podwire node ${name} -- ${command}`;
  if (kind === 'pod') {
    const [namespace = '', pod = ''] = name.split('/');
    return `kubectl -n ${namespace} exec ${pod} -- ${command}   # on ${node ?? '?'}`;
  }
  return command;
}

/** One sighting, in what followed what. */
export interface Step {
  readonly sighting: Sighting;
  readonly previous: Sighting | undefined;
  /** No rule shows this change: conntrack made it, from what it remembers of the connection. */
  readonly isRewritten: boolean;
}

const isBridge = (device: string): boolean => device.endsWith('cni0');
const isCable = ({ place, device }: Sighting): boolean => place.kind === 'node' && device.startsWith('pw-') && !isBridge(device) && device !== 'pw-vxlan';

/** The switch between the nodes lies in a namespace of the lab's own, whose id is in the names of its cables. */
function inUnderlay(device: string, command: string): string {
  const id = /^pw-([0-9a-f]+)/.exec(device)?.[1];
  return id === undefined ? command : `nsenter --net=/run/podwire/${id}/underlay -- ${command}`;
}

function receive({ sighting, previous }: Step, directory: Directory): Explanation {
  const { place, device, packet } = sighting;
  const command = inPlace(place, `ip -d link show ${device}`);
  if (place.kind === 'underlay') return { why: `The switch between the nodes takes it in from the cable of ${previous?.place.name ?? directory.say(packet.source)}.`, command: inUnderlay(device, 'bridge link show') };
  if (isCable(sighting)) return { why: `This is ${place.name}'s end of the cable of ${previous?.place.kind === 'pod' ? previous.place.name : directory.say(packet.source)}.`, command };
  if (isBridge(device)) return { why: `The pod bridge hands it to ${place.name} itself: the pod sent it to the bridge's MAC, its gateway's.`, command };
  return { why: `${place.name} takes the packet in on ${device}.`, command };
}

function transmit({ sighting }: Step, directory: Directory): Explanation {
  const { place, device, packet, outer, encapsulated } = sighting;
  const route = inPlace(place, `ip route get ${packet.destination}`);
  if (place.kind === 'underlay') return { why: `The switch knows behind which cable ${encapsulated ? directory.say(outer.destination) : directory.say(packet.destination)} is.`, command: inUnderlay(device, 'bridge fdb show') };
  if (isCable(sighting)) return { why: `Into the cable of ${directory.say(packet.destination)}.`, command: inPlace(place, 'bridge link show') };
  if (isBridge(device)) return { why: `The pods of ${place.name} are on its bridge: the route to ${packet.destination} leads out of ${device}.`, command: route };
  return { why: `The route to ${packet.destination} leads out of ${device}.`, command: route };
}

const translatedBack = 'Conntrack remembers the connection and translates here, without a rule: the answer must seem to come from the address that was asked.';

export function explainStage(stage: Stage, step: Step, directory: Directory): Explanation {
  const { why, command } = explainPlain(stage, step, directory);
  return { why: step.isRewritten ? `${translatedBack} ${why}` : why, command };
}

function explainPlain(stage: Stage, step: Step, directory: Directory): Explanation {
  const { place, device, packet, outer } = step.sighting;
  switch (stage) {
    case 'send':
      return { why: `${place.name} sends to ${directory.say(packet.destination, packet.destinationPort, packet.protocol)} through ${device}, its way out.`, command: inPlace(place, `ip route get ${packet.destination}`) };
    case 'receive':
      return receive(step, directory);
    case 'encapsulate':
      return { why: `The packet is put into a UDP datagram to ${directory.say(outer.destination)}, because the destination's network is behind that node.`, command: inPlace(place, 'bridge fdb show dev pw-vxlan') };
    case 'decapsulate':
      return { why: `The tunnel's wrapping${step.previous?.outer.vni === undefined ? '' : ` (VNI ${step.previous.outer.vni})`} is taken off; the packet goes on as it was before.`, command: inPlace(place, `ip -d link show ${device}`) };
    case 'transmit':
      return transmit(step, directory);
    case 'deliver':
      return { why: `${place.name} owns ${packet.destination}: the packet has arrived.`, command: inPlace(place, 'ip addr') };
    case 'drop':
      return { why: `${place.name} gave the packet up at ${device}.`, command: inPlace(place, `ip -s link show ${device}`) };
    default:
      return { why: '', command: '' };
  }
}

/** What a rule is about: the Service or pod, and the endpoint that it leads to (empty: it does not). */
export interface About {
  readonly cause: string;
  readonly endpoint: string;
}

const whose = ({ cause }: About, text: string): string => (cause === '' ? '' : ` ${text} ${cause}`);

const sentences: readonly (readonly [RegExp, (about: About) => string])[] = [
  [/\bdnat (ip6? )?to\b/, (about) => `The destination becomes the endpoint that was picked${whose(about, 'for')}${about.endpoint === '' ? '' : `: ${about.endpoint}`}; conntrack remembers it for the whole connection.`],
  [/@hairpin/, () => 'A pod calls itself through its Service: its answer must pass this node again, so the source becomes this node.'],
  [/\bmasquerade\b/, () => 'The source becomes this node, so that the answer comes back through the same translation.'],
  [/map @service/, (about) => `Address, protocol and port are looked up in the map of Services${whose(about, 'and found:')}. The row gives its number and its policy.`],
  [/map @node-port/, (about) => `The port is looked up in the map of node ports${whose(about, 'and found:')}.`],
  [/map @sticky/, () => 'Has the Service session affinity? Then the client keeps its endpoint.'],
  [/map @count/, () => 'The Service number gives the number of its endpoints, and that number the chain that draws among them.'],
  [/numgen random|jhash/, () => 'One of the endpoints is drawn by chance; its number goes into the connection mark.'],
  [/\breject\b/, () => 'There is nobody to answer: the client is told at once instead of being left to wait.'],
  [/goto no-endpoints/, () => 'The Service has nobody who is ready: on to the refusal.'],
  [/@source-ok/, () => 'The source is checked against the ranges that the Service lets in.'],
  [/@keep[46]\b/, () => 'Both ends lie in the cluster: the pod keeps its own address.'],
  [/@pod-net|goto to-endpoint/, () => 'The packet comes from a pod: its source stays as it is.'],
  [/\bdrop\b/, () => 'The packet is dropped here.'],
  [/jump services/, () => 'Every new connection is checked: is it for a Service?'],
  [/jump pick/, () => 'An endpoint is to be chosen.'],
  [/^meta mark set 0x0+$/, () => 'The mark was scratch paper for the look-up; it is wiped clean.'],
  [/^meta mark set/, () => 'The packet is marked: it leaves with the address of this node.'],
];

export function explainRule(rule: RuleEvent, place: Place, about: About): Explanation {
  const command = inPlace(place, `nft -a list chain ${rule.family} ${rule.table} ${rule.chain}`);
  const text = rule.text ?? '';
  const found = sentences.find(([pattern]) => pattern.test(text));
  if (found !== undefined) return { why: found[1](about), command };
  return { why: rule.kind === 'policy' ? `No rule of ${rule.chain} decided; its policy is ${rule.verdict}.` : `The rule says ${rule.verdict}.`, command };
}
