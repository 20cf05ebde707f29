// Which endpoints a Service port uses, decided apart for the policies Cluster and Local (KEP-1669, KEP-2433, KEP-3015).
import type { EndpointInfo, SliceInfo } from './slice-info.ts';
import type { PortInfo } from './service-info.ts';

export interface NodeInfo {
  readonly name: string;
  readonly zone: string | undefined;
  /** Its own addresses: a source range that holds one lets the load balancer's addresses in too. */
  readonly ips: readonly string[];
}

/** One endpoint of one Service port. */
export interface Backend {
  /** `address port`: the identity. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly isLocal: boolean;
  /** Its node is not said: it may be this one. */
  readonly mayBeLocal: boolean;
}

export interface Backends {
  /** For the policy Cluster. */
  readonly cluster: readonly Backend[];
  /** For the policy Local. */
  readonly local: readonly Backend[];
}

interface Candidate { readonly backend: Backend; readonly info: EndpointInfo }

/** Merges the slices of one family; duplicates (an endpoint moving between slices) count once, the ready one first. */
export function categorize(port: PortInfo, slices: readonly SliceInfo[], node: NodeInfo): Backends {
  const candidates = new Map<string, Candidate>();
  for (const slice of slices) {
    for (const target of slice.ports) {
      if (target.name !== port.name || target.protocol !== port.protocol) continue;
      for (const info of slice.endpoints) {
        const key = `${info.address} ${target.port}`;
        const known = candidates.get(key);
        if (known !== undefined && rank(known.info) >= rank(info)) continue;
        candidates.set(key, { info, backend: { key, address: info.address, port: target.port, isLocal: info.nodeName === node.name, mayBeLocal: info.nodeName === undefined || info.nodeName === node.name } });
      }
    }
  }
  const all = [...candidates.values()];
  const ready = all.every(({ info }) => info.isReady) ? all : all.filter(({ info }) => info.isReady);
  const fallback = (among: readonly Candidate[]): readonly Candidate[] => among.filter(({ info }) => info.isServing && info.isTerminating);
  const localReady = ready.filter(({ backend }) => backend.isLocal);
  const cluster = ready.length > 0 ? nearest(ready, node) : fallback(all);
  const local = localReady.length > 0 ? localReady : fallback(all.filter(({ backend }) => backend.isLocal));
  return { cluster: cluster.map(({ backend }) => backend), local: local.map(({ backend }) => backend) };
}

function rank(info: EndpointInfo): number {
  return info.isReady ? 2 : info.isServing ? 1 : 0;
}

/** Hints count only when every ready endpoint has them and one is for us: a half-hinted Service must not starve. */
function nearest(ready: readonly Candidate[], node: NodeInfo): readonly Candidate[] {
  if (ready.every(({ info }) => info.nodeHints !== undefined)) {
    const sameNode = ready.filter(({ info }) => info.nodeHints?.includes(node.name));
    if (sameNode.length > 0) return sameNode;
  }
  const { zone } = node;
  if (zone !== undefined && ready.every(({ info }) => info.zoneHints !== undefined)) {
    const sameZone = ready.filter(({ info }) => info.zoneHints?.includes(zone));
    if (sameZone.length > 0) return sameZone;
  }
  return ready;
}
