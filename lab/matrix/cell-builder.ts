import type { Cell, Family, Path, Protocol } from './model.ts';
import { placeName } from './places.ts';
import type { Place } from './places.ts';
import type { NodeFacts, ProbePod } from './topology.ts';
import { NAMESPACE } from './workload-objects.ts';

/** What a cell differs in; the rest has defaults. `host` undefined: the target has no address of this family, which skips the cell. */
export type CellWish = Partial<Omit<Cell, 'id' | 'place' | 'path' | 'protocol' | 'family' | 'host'>> & Pick<Cell, 'to' | 'port'> & { readonly host: string | undefined };

/** From a pod, a node, or (undefined) outside. */
export type CellBuilder = (path: Path, from: ProbePod | NodeFacts | undefined, wish: CellWish) => Cell;

const DEFAULT_ATTEMPTS = 3;

export function cellBuilder(protocol: Protocol, family: Family): CellBuilder {
  return (path, from, { host, ...wish }) => {
    const place = placeOf(from);
    const source = place.kind === 'outside' ? 'outside' : place.name;
    const missing = host === undefined ? { skip: `${wish.to} has no ${family} address` } : {};
    return {
      id: [path, source, wish.to, protocol, family].join('/').toLowerCase().replaceAll(/[^a-z0-9/.]+/g, '-'),
      place, path, protocol, family, locality: 'any node', expected: 'ok', attempts: DEFAULT_ATTEMPTS, ...missing, ...wish, host: host ?? '',
    };
  };
}

function placeOf(from: ProbePod | NodeFacts | undefined): Place {
  if (from === undefined) return { kind: 'outside' };
  return 'node' in from ? { kind: 'pod', namespace: NAMESPACE, name: from.name, node: from.node } : { kind: 'node', name: from.name };
}

/** The id of a disruptive cell: it has no target of its own. */
export function disruptiveId({ path, place, protocol, family }: Pick<Cell, 'path' | 'place' | 'protocol' | 'family'>): string {
  return `${path.replaceAll(' ', '-')}/${placeName(place).replaceAll(/[^a-z0-9]+/gi, '-')}/${protocol}/${family}`.toLowerCase();
}
