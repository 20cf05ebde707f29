// What cells are built from: one combination of protocol and family, and the shorthands for its targets.
import type { CellBuilder } from './cell-builder.ts';
import type { Family, Protocol } from './model.ts';
import { nodeSources, ofFamily } from './topology.ts';
import type { NodeFacts, ProbePod, Topology } from './topology.ts';
import { podName } from './workload-objects.ts';

/** One combination of protocol and family, with what most cells need of it. */
export interface Scene {
  readonly topology: Topology;
  readonly protocol: Protocol;
  readonly family: Family;
  readonly build: CellBuilder;
  /** Each node with its first and second pod. */
  readonly stands: readonly Stand[];
}

export interface Stand {
  readonly node: NodeFacts;
  readonly a: ProbePod;
  readonly b: ProbePod;
  readonly sources: readonly string[];
}

export function standsOf({ nodes, pods }: Topology, family: Family): readonly Stand[] {
  return nodes.flatMap((node) => {
    const of = (turn: 'a' | 'b'): ProbePod | undefined => pods.find(({ name, ips }) => name === podName(node.name, turn) && ofFamily(ips, family).length > 0);
    const a = of('a');
    const b = of('b');
    return a === undefined || b === undefined ? [] : [{ node, a, b, sources: nodeSources(node, family) }];
  });
}

/** The stand after this one, round: the "other node" of paths that need only one. */
export const nextOf = (stands: readonly Stand[], stand: Stand): Stand => stands[(stands.indexOf(stand) + 1) % stands.length] ?? stand;
/** This node and another: or only this one in a cluster of one. */
export const hereAndThere = (stands: readonly Stand[], stand: Stand): readonly Stand[] => [...new Set([stand, nextOf(stands, stand)])];

export function clusterAddress({ services }: Topology, name: string, family: Family): string | undefined {
  return ofFamily(services.get(name)?.clusterIPs ?? [], family)[0];
}

export function nodePortTarget({ services }: Topology, name: string, protocol: Protocol, entry: Stand, family: Family): { host: string | undefined; port: number } {
  const port = services.get(name)?.ports.find((one) => one.protocol === protocol)?.nodePort;
  return { host: port === undefined ? undefined : ofFamily(entry.node.internalIPs, family)[0], port: port ?? 0 };
}

/** Skips a cell from outside where the machine cannot be reached. */
export function noWayFromOutside({ outsideAddresses }: Topology, family: Family): { readonly skip?: string } {
  return ofFamily(outsideAddresses, family).length > 0 ? {} : { skip: `the machine has no ${family} address that the nodes reach` };
}

/** The address that a load balancer gave a Service; what it did not give skips the cell. */
export function balancerTarget({ services }: Topology, name: string, family: Family): { readonly host: string; readonly skip?: string } {
  const host = ofFamily(services.get(name)?.loadBalancerIPs ?? [], family)[0];
  return host === undefined ? { host: '', skip: 'nobody gives LoadBalancer Services an address here' } : { host };
}

export const everybodyOf = (stands: readonly Stand[]): readonly string[] => stands.flatMap(({ a, b }) => [a.name, b.name]);
