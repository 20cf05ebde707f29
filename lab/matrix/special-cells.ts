import ipaddr from 'ipaddr.js';
import type { Cell, Family, Protocol } from './model.ts';
import { balancerTarget, clusterAddress, everybodyOf, hereAndThere, nextOf, noWayFromOutside, nodePortTarget } from './scene.ts';
import type { Scene, Stand } from './scene.ts';
import { nextAddress, ofFamily } from './topology.ts';
import type { Topology } from './topology.ts';
import { CLUSTER_DOMAIN, NAMESPACE, PORT, onNode } from './workload-objects.ts';

const SPREAD_ATTEMPTS_PER_ENDPOINT = 12;

/** Cells beside the plain paths: refusals, affinity, spread, size, the way out, and everybody else's Services. */
export function specialCells(scene: Scene): readonly Cell[] {
  return [
    ...scene.stands.flatMap((from) => [...refusals(scene, from), ...patterns(scene, from), ...largePackets(scene, from), ...wayOut(scene, from), ...names(scene, from), ...published(scene, from)]),
    ...fromOutside(scene),
    ...othersServices(scene),
  ];
}

function refusals({ topology, family, build }: Scene, { a, node }: Stand): readonly Cell[] {
  const none = { to: 'svc none', host: clusterAddress(topology, 'none', family), port: PORT, expected: 'refused' } as const;
  const unallocated = unallocatedAddress(topology, family);
  return [
    build('no endpoints', a, none),
    build('no endpoints', node, none),
    ...[a, node].map((from) => build('unknown port', from, { to: 'svc probe, port 9', host: clusterAddress(topology, 'probe', family), port: 9, expected: 'refused' })),
    build('unallocated cluster IP', a, {
      to: unallocated ?? 'an address of the Service CIDR', host: unallocated ?? '', port: PORT, expected: 'timeout', attempts: 2,
      ...(unallocated === undefined ? { skip: `the API does not say the Service CIDR of ${family}` } : {}),
    }),
  ];
}

/** Near the end of the range: allocators begin at the front. */
function unallocatedAddress({ serviceCIDRs, services, otherServices }: Topology, family: Family): string | undefined {
  const cidr = ofFamily(serviceCIDRs, family)[0];
  if (cidr === undefined) return undefined;
  const taken = new Set([...services.values(), ...otherServices].flatMap(({ clusterIPs }) => clusterIPs));
  const [network, prefix] = ipaddr.parseCIDR(cidr);
  const last = ipaddr.fromByteArray(network.toByteArray().map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, prefix - i * 8))))).toString();
  for (let back = 2; back < 200; back++) {
    const candidate = nextAddress(last, -back);
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}

function patterns({ topology, family, build, stands }: Scene, { a, sources }: Stand): readonly Cell[] {
  const everybody = everybodyOf(stands);
  const common = { port: PORT, sources: ofFamily(a.ips, family), ownSources: sources, answeredBy: everybody } as const;
  return [
    build('session affinity', a, { ...common, to: 'svc sticky', host: clusterAddress(topology, 'sticky', family), attempts: 10, pattern: 'sticky' }),
    build('load spread', a, { ...common, to: 'svc probe', host: clusterAddress(topology, 'probe', family), attempts: SPREAD_ATTEMPTS_PER_ENDPOINT * everybody.length, pattern: 'spread' }),
  ];
}

/** More than one packet in TCP (none of which may be fragmented), fragments in UDP; both ways. */
const large = (protocol: Protocol): { readonly size: number; readonly said: string } => (protocol === 'TCP' ? { size: 200_000, said: '200 kB' } : { size: 8000, said: '8 kB' });

function largePackets({ topology, protocol, family, build, stands }: Scene, from: Stand): readonly Cell[] {
  return hereAndThere(stands, from).map((to) => build('large packet', from.a, {
    locality: from === to ? 'same node' : 'cross node', to: `svc ${onNode(to.node.name)}, ${large(protocol).said}`, host: clusterAddress(topology, onNode(to.node.name), family), port: PORT,
    size: large(protocol).size, sources: ofFamily(from.a.ips, family), ownSources: from.sources, answeredBy: [to.a.name, to.b.name],
  }));
}

function wayOut({ topology, protocol, family, build }: Scene, { a, node, sources }: Stand): readonly Cell[] {
  const { outsidePort, outsideAddresses, otherServices } = topology;
  const outside = ofFamily(outsideAddresses, family)[0];
  const apiServer = otherServices.find(({ namespace, name }) => namespace === 'default' && name === 'kubernetes');
  const cells = [build('pod to outside', a, {
    to: 'the machine', host: outside ?? '', port: outsidePort ?? 0, sources, answeredBy: [''],
    ...(outside === undefined || outsidePort === undefined ? { skip: `the machine has no ${family} address that the nodes reach` } : {}),
  })];
  if (protocol !== 'TCP' || apiServer === undefined) return cells;
  const host = ofFamily(apiServer.clusterIPs, family)[0];
  if (host === undefined) return cells;
  const api = { to: 'svc default/kubernetes', host, port: apiServer.ports[0]?.port ?? 443 };
  return [...cells, build('pod to API server', a, api), build('Service of the cluster', node, api)];
}

/** A Service of the next node by its short name (the pod's search list makes it longer) and by its full one; and a name that nobody has. */
function names({ topology, protocol, family, build, stands }: Scene, from: Stand): readonly Cell[] {
  const dns = topology.otherServices.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns');
  const server = ofFamily(dns?.clusterIPs ?? [], family)[0];
  const skip = dns === undefined ? { skip: 'the cluster has no DNS: no Service kube-system/kube-dns' } : server === undefined ? { skip: `the cluster's DNS has no ${family} address` } : {};
  const port = dns?.ports.find((one) => one.protocol === protocol)?.port ?? 53;
  const target = nextOf(stands, from);
  const service = onNode(target.node.name);
  const fullName = (name: string): string => `${name}.${NAMESPACE}.svc.${CLUSTER_DOMAIN}.`;
  const by = (name: string): Pick<Cell, 'lookup'> => ({ lookup: { name, server: server ?? '', port } });
  const common = { port: PORT, sources: ofFamily(from.a.ips, family), ownSources: from.sources, answeredBy: [target.a.name, target.b.name], ...skip } as const;
  const host = clusterAddress(topology, service, family);
  return [
    build('pod to DNS name', from.a, { ...common, to: `svc ${service} by its short name`, host, ...by(service) }),
    build('pod to DNS name', from.a, { ...common, to: `svc ${service} by its full name`, host, ...by(fullName(service)) }),
    build('pod to DNS name', from.a, { to: 'a name that nobody has', host: '', port: PORT, expected: 'refused', ...skip, ...by(fullName('nobody')) }),
  ];
}

/** externalIPs and LoadBalancer addresses, from inside: the node captures them. */
function published({ topology, family, build, stands }: Scene, { a, node, sources }: Stand): readonly Cell[] {
  const external = { to: 'svc probe', host: ofFamily(topology.services.get('probe')?.externalIPs ?? [], family)[0] };
  const balanced = { to: 'svc balanced', ...balancerTarget(topology, 'balanced', family) };
  const common = { port: PORT, sources, ownSources: sources, answeredBy: everybodyOf(stands) };
  return [
    build('pod to external IP', a, { ...common, ...external }), build('pod to LoadBalancer', a, { ...common, ...balanced }),
    build('node to external IP', node, { ...common, ...external }), build('node to LoadBalancer', node, { ...common, ...balanced }),
  ];
}

function fromOutside(scene: Scene): readonly Cell[] {
  const { topology, protocol, family, build, stands } = scene;
  const noWay = noWayFromOutside(topology, family);
  const common = { answeredBy: everybodyOf(stands) };
  return [
    build('outside to LoadBalancer', undefined, { ...common, to: 'svc balanced', port: PORT, ...balancerTarget(topology, 'balanced', family), ...noWay, sources: stands.flatMap(({ sources }) => sources) }),
    ...stands.map((entry) => build('no endpoints', undefined, { ...nodePortTarget(topology, 'none', protocol, entry, family), ...noWay, to: `svc none at ${entry.node.name}`, expected: 'refused' })),
    ...stands.slice(0, 1).flatMap((entry) => [
      build('session affinity', undefined, { ...common, ...nodePortTarget(topology, 'sticky', protocol, entry, family), ...noWay, to: `svc sticky at ${entry.node.name}`, sources: entry.sources, attempts: 10, pattern: 'sticky' }),
      build('load spread', undefined, { ...common, ...nodePortTarget(topology, 'probe', protocol, entry, family), ...noWay, to: `svc probe at ${entry.node.name}`, sources: entry.sources, attempts: SPREAD_ATTEMPTS_PER_ENDPOINT * stands.length * 2, pattern: 'spread' }),
      // The machine's MTU is larger than the tunnel's: here path MTU discovery must work.
      ...hereAndThere(stands, entry).map((backend) => build('large packet', undefined, {
        ...nodePortTarget(topology, onNode(backend.node.name), protocol, entry, family), ...noWay, size: large(protocol).size, locality: entry === backend ? 'same node' : 'cross node',
        to: `svc ${onNode(backend.node.name)} at ${entry.node.name}, ${large(protocol).said}`, sources: entry.sources, answeredBy: [backend.a.name, backend.b.name],
      })),
    ]),
  ];
}

/** TCP only: who listens there is not ours to ask more than a connection. */
function othersServices({ topology, protocol, family, build, stands }: Scene): readonly Cell[] {
  if (protocol !== 'TCP') return [];
  return topology.otherServices.filter(({ namespace, name }) => namespace !== 'default' || name !== 'kubernetes').flatMap((service) => {
    const to = `svc ${service.namespace}/${service.name}`;
    const expected = service.ready ? 'ok' : 'refused';
    return service.ports.filter((port) => port.protocol === 'TCP').flatMap(({ port, nodePort }) => {
      const host = ofFamily(service.clusterIPs, family)[0];
      if (host === undefined) return [];
      const inside = stands.map(({ a }) => build('Service of the cluster', a, { to: `${to}:${port}`, host, port, expected }));
      if (nodePort === undefined || ofFamily(topology.outsideAddresses, family).length === 0) return inside;
      return [...inside, ...stands.map(({ node }) => build('Service of the cluster', undefined, { to: `${to} at ${node.name}`, host: ofFamily(node.internalIPs, family)[0], port: nodePort, expected }))];
    });
  });
}
