// Which paths there are, and what must come of each: pure, from the topology alone.
import { cellBuilder } from './cell-builder.ts';
import type { Cell, Family } from './model.ts';
import { clusterAddress, hereAndThere, noWayFromOutside, nodePortTarget, standsOf } from './scene.ts';
import type { Scene } from './scene.ts';
import { localCells } from './local-cells.ts';
import { specialCells } from './special-cells.ts';
import { ofFamily } from './topology.ts';
import type { Topology } from './topology.ts';
import { PORT, onNode, ownOf } from './workload-objects.ts';

export function desiredCells(topology: Topology): readonly Cell[] {
  const families = (['IPv4', 'IPv6'] as const).filter((family) => topology.nodes.some(({ internalIPs }) => ofFamily(internalIPs, family).length > 0) && topology.pods.some(({ ips }) => ofFamily(ips, family).length > 0));
  return families.flatMap((family) => (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) => {
    if (protocol === 'SCTP') return [sctpCell(topology, family)];
    const scene: Scene = { topology, protocol, family, build: cellBuilder(protocol, family), stands: standsOf(topology, family) };
    return [...podCells(scene), ...nodePortCells(scene), ...nodeCells(scene), ...outsideCells(scene), ...localCells(scene), ...specialCells(scene)];
  }));
}

function sctpCell({ nodes }: Topology, family: Family): Cell {
  return {
    id: `sctp/${family.toLowerCase()}`, place: { kind: 'node', name: nodes[0]?.name ?? '' }, path: 'pod to cluster IP', locality: 'any node', protocol: 'SCTP', family,
    to: 'SCTP', host: '', port: 0, expected: 'ok', attempts: 0, skip: 'the probe speaks no SCTP: Node has none; rows in the kernel are tested with the proxy',
  };
}

function podCells({ topology, family, build, stands }: Scene): readonly Cell[] {
  return stands.flatMap((from) => stands.flatMap((to) => {
    const locality = from === to ? 'same node' : 'cross node';
    const [podIP] = ofFamily(to.b.ips, family);
    const own = ofFamily(from.a.ips, family);
    const clusterIP = clusterAddress(topology, onNode(to.node.name), family);
    const cells = [
      build('pod to pod', from.a, { locality, to: `pod ${to.b.name}`, host: podIP, port: PORT, sources: own, answeredBy: [to.b.name] }),
      build('pod to cluster IP', from.a, { locality, to: `svc ${onNode(to.node.name)}`, host: clusterIP, port: PORT, sources: own, ownSources: from.sources, answeredBy: [to.a.name, to.b.name] }),
    ];
    if (from !== to) return cells;
    const itself = clusterAddress(topology, ownOf(from.node.name), family);
    return [...cells, build('pod to itself through its Service', from.a, { locality: 'itself', to: `svc ${ownOf(from.node.name)}`, host: itself, port: PORT, ownSources: from.sources, sources: [], answeredBy: [from.a.name] })];
  }));
}

/** {own, other} entry node x {own, other} node with the endpoints. Policy Cluster: the entry node masquerades. */
function nodePortCells({ topology, protocol, family, build, stands }: Scene): readonly Cell[] {
  return stands.flatMap((from) => hereAndThere(stands, from).flatMap((entry) => hereAndThere(stands, from).flatMap((backend) => {
    const target = nodePortTarget(topology, onNode(backend.node.name), protocol, entry, family);
    const locality = entry === from ? 'same node' : 'cross node';
    const to = `svc ${onNode(backend.node.name)} at ${entry.node.name}`;
    const answeredBy = [backend.a.name, backend.b.name];
    const cells = [build('pod to node port', from.a, { ...target, locality, to, sources: entry.sources, ownSources: entry.sources, answeredBy })];
    return backend !== entry ? cells : [...cells, build('node to node port', from.node, { ...target, locality, to, sources: [...from.sources, ...entry.sources], answeredBy })];
  })));
}

function nodeCells({ topology, family, build, stands }: Scene): readonly Cell[] {
  return stands.flatMap((from) => stands.flatMap((to) => {
    const locality = from === to ? 'same node' : 'cross node';
    const [podIP] = ofFamily(to.b.ips, family);
    const clusterIP = clusterAddress(topology, onNode(to.node.name), family);
    return [
      build('node to pod', from.node, { locality, to: `pod ${to.b.name}`, host: podIP, port: PORT, sources: from.sources, answeredBy: [to.b.name] }),
      build('node to cluster IP', from.node, { locality, to: `svc ${onNode(to.node.name)}`, host: clusterIP, port: PORT, sources: from.sources, answeredBy: [to.a.name, to.b.name] }),
    ];
  }));
}

function outsideCells({ topology, protocol, family, build, stands }: Scene): readonly Cell[] {
  const noWay = noWayFromOutside(topology, family);
  return stands.flatMap((entry) => hereAndThere(stands, entry).map((backend) => build('outside to node port', undefined, {
    ...nodePortTarget(topology, onNode(backend.node.name), protocol, entry, family), ...noWay,
    locality: entry === backend ? 'same node' : 'cross node', to: `svc ${onNode(backend.node.name)} at ${entry.node.name}`, sources: entry.sources, answeredBy: [backend.a.name, backend.b.name],
  })));
}
