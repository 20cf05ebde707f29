// Traffic policy Local: an endpoint on the node that is asked, or nobody. Pods and nodes of the cluster are not bound by the external
// one at their own node; who comes from elsewhere keeps its source address.
import type { Cell } from './model.ts';
import { balancerTarget, clusterAddress, everybodyOf, hereAndThere, noWayFromOutside, nodePortTarget } from './scene.ts';
import type { Scene, Stand } from './scene.ts';
import { familyOf, ofFamily } from './topology.ts';
import { PORT } from './workload-objects.ts';

export function localCells(scene: Scene): readonly Cell[] {
  const [first] = scene.stands;
  return first === undefined ? [] : [...scene.stands.flatMap((stand) => [...fromPod(scene, stand, first), atNodePort(scene, stand, first)]), fromOutsideToBalancer(scene)];
}

const nobody = { expected: 'timeout', answeredBy: [], attempts: 2 } as const;

/** All the endpoints of `inner-local` and `local` are on the first node. */
function fromPod({ topology, protocol, family, build, stands }: Scene, from: Stand, first: Stand): readonly Cell[] {
  const own = ofFamily(from.a.ips, family);
  const there = { answeredBy: [first.a.name, first.b.name], sources: own, ownSources: from.sources } as const;
  return [
    build('pod to cluster IP (Local)', from.a, {
      to: 'svc inner-local', host: clusterAddress(topology, 'inner-local', family), port: PORT, locality: from === first ? 'same node' : 'cross node', ...(from === first ? there : nobody),
    }),
    ...hereAndThere(stands, from).map((entry) => build('pod to node port (Local)', from.a, {
      ...nodePortTarget(topology, 'local', protocol, entry, family), to: `svc local at ${entry.node.name}`, locality: entry === from ? 'same node' : 'cross node',
      // Another node sees the sender's node: it is outside to it.
      ...(entry === from ? there : entry === first ? { ...there, sources: from.sources } : nobody),
    })),
    build('pod to LoadBalancer (Local)', from.a, { to: 'svc balanced-local', port: PORT, ...balancerTarget(topology, 'balanced-local', family), sources: own, ownSources: from.sources, answeredBy: everybodyOf(stands) }),
  ];
}

function atNodePort({ topology, protocol, family, build }: Scene, entry: Stand, first: Stand): Cell {
  const outside = topology.outsideAddresses.filter((address) => familyOf(address) === family);
  return build('outside to node port (Local)', undefined, {
    ...nodePortTarget(topology, 'local', protocol, entry, family), ...noWayFromOutside(topology, family), to: `svc local at ${entry.node.name}`, sources: outside,
    ...(entry === first ? { locality: 'same node', answeredBy: [entry.a.name, entry.b.name] } : { locality: 'cross node', ...nobody }),
  });
}

/** It has endpoints on every node: whichever the machine's way leads to, one there answers, and sees the machine. */
function fromOutsideToBalancer({ topology, family, build, stands }: Scene): Cell {
  return build('outside to LoadBalancer (Local)', undefined, {
    to: 'svc balanced-local', port: PORT, ...balancerTarget(topology, 'balanced-local', family), ...noWayFromOutside(topology, family), sources: ofFamily(topology.outsideAddresses, family), answeredBy: everybodyOf(stands),
  });
}
