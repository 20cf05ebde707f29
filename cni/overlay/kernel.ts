// The overlay's driver: reads and writes the kernel's rows over one rtnetlink socket.
import {
  deleteFdb, deleteNeighbour, deleteRoute, deviceIndex, getLink, isNetlinkError, listFdb, listLinks, listNeighbours, listRoutes, replaceFdb, replaceNeighbour, replaceRoute, RTPROT_KERNEL,
} from '@podwire/netlink';
import type { NetlinkSocket, RouteSpec } from '@podwire/netlink';
import type { Operation, RouteRow, Rows } from './types.ts';

/** Marks our routes (`ip route show proto 112`): how they are found again after a restart, and told from everybody else's. */
export const ROUTE_PROTOCOL = 112;

const ZERO_MAC = '00:00:00:00:00:00';

/** What is there and ours: all permanent entries on the VXLAN device, its routes, and routes elsewhere with our protocol number. */
export function readRows(rt: NetlinkSocket, vxlanDevice: string): Rows {
  const names = new Map(listLinks(rt).map(({ index, name }) => [index, name]));
  const vxlan = getLink(rt, vxlanDevice);
  const routes = listRoutes(rt).filter((route) => route.protocol === ROUTE_PROTOCOL || (vxlan !== undefined && route.dev === vxlan.index && route.protocol !== RTPROT_KERNEL && route.type === 'unicast'));
  return {
    neighbours: vxlan === undefined ? [] : listNeighbours(rt, { dev: vxlan.index }).filter(({ isPermanent }) => isPermanent).map(({ ip, mac }) => ({ node: '', ip, mac: mac ?? '' })),
    fdb: vxlan === undefined ? [] : listFdb(rt, { dev: vxlan.index }).filter(({ isSelf, mac }) => isSelf && mac !== ZERO_MAC).map(({ mac, dst }) => ({ node: '', mac, dst: dst ?? '' })),
    routes: routes.map((route): RouteRow => ({ node: '', to: route.to, via: route.via, dev: names.get(route.dev ?? 0) ?? '', onlink: route.onlink })),
  };
}

export interface ApplyFailure {
  readonly node: string;
  readonly error: Error;
}

/**
 * Carries out the operations in order. When one of a node's fails, the node's later ones are left out (a route without its neighbour
 * entry would swallow packets) and the other nodes go on. Returns the failures.
 */
export function applyOperations(rt: NetlinkSocket, vxlanDevice: string, operations: readonly Operation[]): readonly ApplyFailure[] {
  const failures: ApplyFailure[] = [];
  const known = new Map<string, number>();
  const indexOf = (name: string): number => {
    const index = known.get(name) ?? deviceIndex(rt, name);
    known.set(name, index);
    return index;
  };
  for (const operation of operations) {
    const { node } = operation.row;
    if (node !== '' && failures.some((failure) => failure.node === node)) continue;
    try {
      applyOperation(rt, vxlanDevice, operation, indexOf);
    } catch (error) {
      failures.push({ node, error: error instanceof Error ? error : new Error(String(error)) });
    }
  }
  return failures;
}

function applyOperation(rt: NetlinkSocket, vxlanDevice: string, operation: Operation, indexOf: (name: string) => number): void {
  switch (operation.do) {
    case 'set-neighbour': replaceNeighbour(rt, indexOf(vxlanDevice), operation.row.ip, operation.row.mac); break;
    case 'set-fdb': replaceFdb(rt, indexOf(vxlanDevice), { mac: operation.row.mac, dst: operation.row.dst }); break;
    case 'set-route': replaceRoute(rt, { ...routeOf(operation.row, indexOf), onlink: operation.row.onlink, protocol: ROUTE_PROTOCOL }); break;
    case 'delete-route': gone(() => deleteRoute(rt, routeOf(operation.row, indexOf))); break;
    case 'delete-fdb': gone(() => deleteFdb(rt, indexOf(vxlanDevice), { mac: operation.row.mac, ...(operation.row.dst === '' ? {} : { dst: operation.row.dst }) })); break;
    case 'delete-neighbour': gone(() => deleteNeighbour(rt, indexOf(vxlanDevice), operation.row.ip)); break;
  }
}

const routeOf = ({ to, via, dev }: RouteRow, indexOf: (name: string) => number): RouteSpec => ({ to, ...(via === undefined ? {} : { via }), ...(dev === '' ? {} : { dev: indexOf(dev) }) });

/** Somebody else removed it, or its device went: what was wanted is so. */
function gone(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isNetlinkError(error, 'ENOENT', 'ESRCH', 'ENODEV')) throw error;
  }
}
