// Looks at the state of every place for what is not as it should be: switches that are off, entries that are missing or doubled.
// The kernel does not name these when they lose a packet.
import { getSysctl, listFdb, listLinks, listNeighbours, listRoutes, openRoute } from '@podwire/netlink';
import ipaddr from 'ipaddr.js';
import type { Node, Pod } from '@podwire/kube-client';
import type { ProbeKey } from '../correlate/identity.ts';
import { trailOf } from '../correlate/trail.ts';
import type { Suspicion } from '../correlate/verdict.ts';
import type { World } from '../correlate/world.ts';
import type { Observed } from './observe.ts';
import type { OpenPlace } from './place-netns.ts';

export interface InspectInput {
  readonly places: readonly OpenPlace[];
  readonly world: World;
  readonly from: OpenPlace;
  readonly host: string;
  readonly observed: Observed;
  readonly protocol: 'tcp' | 'udp';
  /** By it the probe is told from all other traffic. */
  readonly key: ProbeKey;
}

const vtepMac = ({ metadata }: Node): string | undefined => metadata?.annotations?.['podwire.io/vtep-mac'];

/** The MACs that the VXLAN devices really have: what a Node says of itself may be older. */
function doubledMacs({ places }: InspectInput, passed: ReadonlySet<string>): readonly Suspicion[] {
  const byMac = new Map<string, string[]>();
  for (const place of places.filter(({ kind }) => kind === 'node')) {
    const socket = openRoute(place.netns === undefined ? {} : { netns: place.netns });
    try {
      for (const { mac, kind, name } of listLinks(socket)) if (kind === 'vxlan' && mac !== undefined) byMac.set(mac, [...(byMac.get(mac) ?? []), `${place.name}/${name}`]);
    } finally {
      socket.close();
    }
  }
  return [...byMac].filter(([, devices]) => devices.length > 1 && devices.some((device) => passed.has(device.split('/')[0] ?? ''))).map(([mac, devices]) => ({ where: devices.join(' and '), reason: `duplicate VXLAN MAC ${mac}: the nodes cannot be told apart`, remedy: 'give each VXLAN device a MAC of its own (cloned machine-ids cause this); restart the agents', explains: 'both' as const }));
}

/** Where the probe was going: as it was sent, and as it stood when it was seen last. */
function targetsOf({ host, observed, key }: InspectInput): readonly string[] {
  const last = trailOf(observed.observations, key, 'request').at(-1)?.packet.destination;
  return [...new Set([host, ...(last === undefined ? [] : [last])])];
}

const hasAddress = (status: Pod['status'], address: string): boolean => status?.podIP === address || status?.podIPs?.some(({ ip }) => ip === address) === true;

/** An address inside a node's pod network that no pod has, or one whose pod does not run. */
function goneAddress({ world, places }: InspectInput, target: string): readonly Suspicion[] {
  const pod = world.pods.find(({ status, metadata }) => hasAddress(status, target) && metadata?.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  const name = `${pod?.metadata?.namespace ?? ''}/${pod?.metadata?.name ?? ''}`;
  if (pod?.spec?.hostNetwork === true || places.some((place) => place.kind === 'pod' && place.name === name)) return [];
  const address = ipaddr.parse(target);
  const owner = world.nodes.find(({ spec }) => (spec?.podCIDRs ?? []).some((cidr) => {
    const network = ipaddr.parseCIDR(cidr);
    return network[0].kind() === address.kind() && address.match(network);
  }));
  if (owner === undefined) return [];
  const node = owner.metadata?.name ?? '';
  if (pod !== undefined) return [{ where: `${node}/pw-cni0`, reason: `pod ${name} does not run now: nobody has its address ${target}`, remedy: `kubectl -n ${pod.metadata?.namespace ?? ''} describe pod ${pod.metadata?.name ?? ''}`, explains: 'both' }];
  return [{ where: `${node}/pw-cni0`, reason: `no pod has the address ${target}: it is gone, or never was`, remedy: `kubectl get pods -A -o wide --field-selector spec.nodeName=${node}`, explains: 'both' }];
}

/** The kernel's switches of a family. */
const switchesOf = { IPv4: { forward: 'net.ipv4.ip_forward', forwardName: 'ip_forward', bridge: 'bridge-nf-call-iptables' }, IPv6: { forward: 'net.ipv6.conf.all.forwarding', forwardName: 'net.ipv6.conf.all.forwarding', bridge: 'bridge-nf-call-ip6tables' } } as const;

function switches(place: OpenPlace, family: 'IPv4' | 'IPv6'): readonly Suspicion[] {
  const { forward, forwardName, bridge } = switchesOf[family];
  const found: Suspicion[] = [];
  if (getSysctl(place.netns, forward) === '0') found.push({ where: place.name, reason: `${forwardName} is off: this node forwards nothing`, remedy: `./podwire node ${place.name} -- sysctl -w ${forward}=1`, explains: 'both' });
  if (getSysctl(place.netns, `net.bridge.${bridge}`) === '0') found.push({ where: `${place.name}/bridge`, reason: `${bridge} is off: an answer on the same bridge goes straight to the client and is not translated back`, remedy: `./podwire node ${place.name} -- sysctl -w net.bridge.${bridge}=1`, explains: 'reply' });
  return found;
}

/** Peers whose pods this node cannot reach: no route, no FDB entry, or a device that is down. */
function missingEntries(place: OpenPlace, nodes: readonly Node[], isOfFamily: (cidr: string) => boolean): readonly Suspicion[] {
  const socket = openRoute(place.netns === undefined ? {} : { netns: place.netns });
  try {
    const links = listLinks(socket);
    const vxlan = links.find(({ kind }) => kind === 'vxlan');
    const watched = links.filter(({ name }) => name === 'eth0' || name === vxlan?.name);
    const found: Suspicion[] = watched.filter(({ isUp }) => !isUp).map(({ name }) => ({ where: `${place.name}/${name}`, reason: `${name} is down: the node is cut off`, remedy: `./podwire node ${place.name} -- ip link set ${name} up`, explains: 'both' }));
    // Up, and nobody at the other end of the cable.
    for (const { name } of watched.filter(({ isUp, operState }) => isUp && (operState === 'lowerlayerdown' || operState === 'down'))) found.push({ where: `${place.name}/${name}`, reason: `${name} has no carrier: the cable of the node is cut`, remedy: `set the other end of the cable up, in the underlay; podwire up lays it anew when it is gone`, explains: 'both' });
    const routes = new Set(listRoutes(socket).map(({ to }) => to));
    const neighbours = vxlan === undefined ? undefined : new Set(listNeighbours(socket, { dev: vxlan.index }).map(({ mac }) => mac));
    const fdb = vxlan === undefined ? undefined : new Set(listFdb(socket, { dev: vxlan.index }).map(({ mac }) => mac));
    for (const node of nodes.filter(({ metadata }) => metadata?.name !== place.name)) {
      const name = node.metadata?.name ?? '';
      for (const podCIDR of (node.spec?.podCIDRs ?? [node.spec?.podCIDR ?? '']).filter(isOfFamily)) if (podCIDR !== '' && !routes.has(podCIDR)) found.push({ where: place.name, reason: `no route to ${podCIDR}, the pods of ${name}`, remedy: `restart the agent of ${place.name}; it writes the routes from the Node list`, explains: 'both' });
      const mac = vtepMac(node);
      if (mac !== undefined && neighbours !== undefined && !neighbours.has(mac)) found.push({ where: `${place.name}/${vxlan?.name ?? ''}`, reason: `no neighbour entry for ${mac}, the VXLAN device of ${name}: nobody answers for its address`, remedy: `restart the agent of ${place.name}; it writes the entries from the Node list`, explains: 'both' });
      if (mac !== undefined && fdb !== undefined && !fdb.has(mac)) found.push({ where: `${place.name}/${vxlan?.name ?? ''}`, reason: `no FDB entry for ${mac}, the VXLAN device of ${name}`, remedy: `restart the agent of ${place.name}; it writes the entries from the Node list`, explains: 'both' });
    }
    return found;
  } finally {
    socket.close();
  }
}

/** UDP: a connection tracked from before keeps its old backend, whether that lives or not. */
function staleFlows({ observed, world, protocol, host }: InspectInput): readonly Suspicion[] {
  if (protocol !== 'udp') return [];
  const running = world.pods.filter(({ status, metadata }) => status?.phase === 'Running' && metadata?.deletionTimestamp === undefined).flatMap(({ status }) => [status?.podIP ?? '', ...(status?.podIPs ?? []).map(({ ip }) => ip ?? '')]);
  // Endpoints need not be pods: a node's own program, a machine outside.
  const notPods = world.slices.flatMap(({ endpoints }) => endpoints.filter(({ targetRef }) => targetRef?.kind !== 'Pod').flatMap(({ addresses }) => addresses));
  const alive = new Set([...running, ...notPods]);
  const isService = world.services.some(({ spec }) => spec?.clusterIP === host || spec?.clusterIPs?.includes(host) === true);
  const own = observed.conntrack.filter(({ original }) => original.sourcePort === observed.probe.sourcePort && original.destination === host);
  return own.filter(({ reply }) => isService && !alive.has(reply.source)).map(({ place, reply }) => ({ where: `${place.name}/conntrack`, reason: `stale UDP conntrack: the flow still goes to ${reply.source}, which is no endpoint any more`, remedy: `./podwire node ${place.name} -- conntrack -D -p udp --reply-src ${reply.source}; the agent of ${place.name} does so when it hears of the change: does it run?`, explains: 'request' as const }));
}

/** The nodes on the probe's way, and those to which it was going. */
function nodesOnTheWay(input: InspectInput): ReadonlySet<string> {
  const { observed, key, world, from } = input;
  const trail = [...trailOf(observed.observations, key, 'request'), ...trailOf(observed.observations, key, 'reply')];
  const byAddress = new Map(world.nodes.flatMap(({ metadata, status }) => (status?.addresses ?? []).map(({ address }) => [address, metadata?.name ?? ''] as const)));
  const targets = targetsOf(input).map((target) => world.pods.find(({ status, spec }) => spec?.hostNetwork !== true && hasAddress(status, target))?.spec?.nodeName ?? byAddress.get(target));
  const tunnels = trail.filter(({ encapsulated }) => encapsulated).map(({ outer }) => byAddress.get(outer.destination));
  const seen = trail.filter(({ place }) => place.kind === 'node').map(({ place }) => place.name);
  return new Set([from.node, ...seen, ...tunnels, ...targets].filter((name) => name !== undefined));
}

/** What is wrong on the places that this probe may have passed, most telling first. */
export function suspicionsOf(input: InspectInput): readonly Suspicion[] {
  const { places, world, host } = input;
  const family = host.includes(':') ? 'IPv6' : 'IPv4';
  const isOfFamily = (cidr: string): boolean => cidr.includes(':') === (family === 'IPv6');
  const passed = nodesOnTheWay(input);
  const nodes = places.filter(({ kind, name }) => kind === 'node' && passed.has(name));
  const dead = world.nodes.map(({ metadata }) => metadata?.name ?? '').filter((name) => passed.has(name) && !places.some((place) => place.kind === 'node' && place.name === name));
  return [
    ...dead.map((name) => ({ where: name, reason: 'the node is down', remedy: './podwire up', explains: 'both' as const })),
    ...staleFlows(input), ...targetsOf(input).flatMap((target) => goneAddress(input, target)), ...doubledMacs(input, passed),
    ...nodes.flatMap((place) => missingEntries(place, world.nodes.filter(({ metadata }) => passed.has(metadata?.name ?? '')), isOfFamily)), ...nodes.flatMap((place) => switches(place, family)),
  ];
}
