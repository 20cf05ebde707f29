import { ipFamily } from './node-view.ts';
import { normalPrefix } from './desired-peers.ts';
import type { Operation, Peer, Row, RouteRow, Rows, Self } from './types.ts';

/** The kernel's rows for these peers and for this node's Service routes. Pure. */
export function desiredRows(peers: readonly Peer[], self: Self): Rows {
  const families = new Set(self.podCIDRs.map(ipFamily));
  const services = self.serviceCIDRs.filter((cidr) => families.has(ipFamily(cidr))).map((cidr): RouteRow => ({ node: '', to: normalPrefix(cidr), via: undefined, dev: self.bridge, onlink: false }));
  return {
    neighbours: peers.flatMap(({ node, vtep, routes }) => (vtep === undefined ? [] : routes.filter(({ method }) => method === 'vxlan').map(({ via }) => ({ node, ip: via, mac: vtep.mac })))),
    fdb: peers.flatMap(({ node, vtep }) => (vtep === undefined ? [] : [{ node, mac: vtep.mac, dst: vtep.address }])),
    routes: [
      ...services,
      ...peers.flatMap(({ node, routes }) => routes.map(({ podCIDR, via, method }): RouteRow => ({
        node, to: podCIDR, via, dev: method === 'vxlan' ? self.vxlanDevice : self.underlay.name, onlink: method === 'vxlan',
      }))),
    ],
  };
}

/**
 * What turns `actual` into `desired`, in the order in which it is safe: a route comes last, so that no packet is sent to a peer whose
 * neighbour and FDB entries are not there yet; what goes, goes the other way round. Rows that are as they should be are not touched.
 */
export function diffRows(actual: Rows, desired: Rows): readonly Operation[] {
  const neighbours = compare(actual.neighbours, desired.neighbours, ({ ip }) => ip, (a, b) => a.mac === b.mac);
  const fdb = compare(actual.fdb, desired.fdb, ({ mac }) => mac, (a, b) => a.dst === b.dst);
  const routes = compare(actual.routes, desired.routes, ({ to }) => to, (a, b) => a.via === b.via && a.dev === b.dev && a.onlink === b.onlink);
  return [
    ...neighbours.set.map((row) => ({ do: 'set-neighbour', row }) as const),
    ...fdb.set.map((row) => ({ do: 'set-fdb', row }) as const),
    ...routes.set.flatMap((row): Operation[] => {
      const old = routes.kept.get(row.to);
      // IPv6 checks an onlink gateway against the routes that are there: the old way to this very network would contradict the new one.
      const isInTheWay = old !== undefined && old.dev !== row.dev && ipFamily(row.to) === 6;
      return [...(isInTheWay ? [{ do: 'delete-route', row: { ...old, node: row.node } } as const] : []), { do: 'set-route', row }];
    }),
    ...routes.gone.map((row) => ({ do: 'delete-route', row }) as const),
    ...fdb.gone.map((row) => ({ do: 'delete-fdb', row }) as const),
    ...neighbours.gone.map((row) => ({ do: 'delete-neighbour', row }) as const),
  ];
}

interface Comparison<R> {
  readonly set: readonly R[];
  readonly gone: readonly R[];
  /** Rows that stay or are overwritten, by key. */
  readonly kept: ReadonlyMap<string, R>;
}

/** `gone` has also the second, third, ... of rows with the same key: one key has one row. */
function compare<R extends Row>(actual: readonly R[], desired: readonly R[], keyOf: (row: R) => string, isSame: (a: R, b: R) => boolean): Comparison<R> {
  const wanted = new Map(desired.map((row) => [keyOf(row), row]));
  const kept = new Map<string, R>();
  const gone: R[] = [];
  // The row that is right, if there is one, is the one to keep.
  const rightFirst = actual.toSorted((a, b) => Number(isRight(b)) - Number(isRight(a)));
  function isRight(row: R): boolean {
    const want = wanted.get(keyOf(row));
    return want !== undefined && isSame(row, want);
  }
  for (const row of rightFirst) {
    const key = keyOf(row);
    if (!wanted.has(key) || kept.has(key)) gone.push(row);
    else kept.set(key, row);
  }
  const set = [...wanted].filter(([key, row]) => { const there = kept.get(key); return there === undefined || !isSame(there, row); }).map(([, row]) => row);
  return { set, gone, kept };
}
