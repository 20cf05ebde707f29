// Notices that somebody else has changed our tables, and what. Our own element transactions never wake the monitor; loading rules runs
// `nft`, whose events may look like anybody's.
import type { MonitorChange, MonitorEvent, Nft } from 'nftables-js';
import type { IpFamily } from '../core/address.ts';
import { ROW_MAPS } from '../core/rows.ts';
import type { TableSchema } from '../ruleset/schema.ts';
import { rowOf } from './kernel-rows.ts';
import { Suspicion } from './suspicion.ts';

export type Suspicions = ReadonlyMap<IpFamily, Suspicion>;

/** The generations in which rules were loaded. One load is one generation: where there were more, somebody else was there too. */
interface Loading {
  readonly after: number;
  until: number;
  isShared: boolean;
  /** Told so far, while it is not known whether it is shared. */
  readonly held: Suspicions[];
}

export interface DriftWatch {
  /** Runs `nft -f` once, without taking it for drift. */
  readonly whileLoading: <T>(run: () => Promise<T>) => Promise<T>;
}

/** Calls `onDrift` after each foreign transaction that touched one of the tables, until `signal` aborts. */
export function watchDrift(nft: Nft, schemas: readonly TableSchema[], signal: AbortSignal, onDrift: (suspicions: Suspicions) => void): DriftWatch {
  let touched = new Map<IpFamily, Suspicion>();
  let loadings: Loading[] = [];
  const endTransaction = (generation: number): void => {
    const told = touched;
    touched = new Map();
    loadings = loadings.filter(({ until }) => until >= generation);
    if (told.size === 0) return;
    const loading = loadings.find(({ after }) => after < generation);
    if (loading === undefined || loading.isShared) onDrift(told);
    else if (loading.until === Number.POSITIVE_INFINITY) loading.held.push(told);
  };
  nft.monitor((event: MonitorEvent) => {
    if (event.kind === 'generation') endTransaction(event.generation);
    else if (event.kind === 'dirty') onDrift(new Map(schemas.map(({ family }) => [family, Suspicion.everything()])));
    else {
      const schema = schemas.find(({ table }) => table.family === event.table.family && table.name === event.table.name);
      // Which client keeps which endpoint is no row of ours.
      if (schema === undefined || event.name === schema.affinity.name) return;
      const suspicion = touched.get(schema.family) ?? new Suspicion();
      suspect(suspicion, event, schema);
      touched.set(schema.family, suspicion);
    }
  }, signal);
  return {
    async whileLoading(run) {
      const loading: Loading = { after: await nft.generation(), until: Number.POSITIVE_INFINITY, isShared: false, held: [] };
      loadings.push(loading);
      try {
        return await run();
      } finally {
        loading.until = await nft.generation();
        loading.isShared = loading.until - loading.after > 1;
        if (loading.isShared) for (const told of loading.held) onDrift(told);
      }
    },
  };
}

function suspect(suspicion: Suspicion, change: MonitorChange, schema: TableSchema): void {
  // The sets that nft makes for `{ a, b }` in a rule come and go with it.
  if (change.object === 'table' || (change.object === 'set' && !change.name.startsWith('__'))) {
    suspicion.addEverything();
    return;
  }
  const map = ROW_MAPS.find((name) => name === change.name);
  if (change.object === 'element' && map !== undefined) {
    if (schema.rows[map].interval) suspicion.addMap(map); // a range has two keys
    else if (suspicion.rowsOf(map) !== 'all') for (const element of change.elements(schema.rows[map])) suspicion.addRow(rowOf(map, element));
  } else if (change.object !== 'element' || !Object.hasOwn(schema.config, change.name)) { // the configuration's sets are short and looked at in any case
    suspicion.rules = 'changed';
  }
}
