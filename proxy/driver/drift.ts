// Notices that somebody else has changed our tables. Our own element transactions never wake the monitor; our own loading of
// rules runs `nft`, whose events look like anybody's, so events up to the generation that it made are ours.
import type { MonitorEvent, Nft, TableRef } from 'nftables-js';

export interface DriftWatch {
  /** Runs something that changes the ruleset through another socket, without taking it for drift. */
  readonly whileLoading: <T>(run: () => Promise<T>) => Promise<T>;
  /** Has anybody's transaction been seen since the last call? For the periodic look. */
  readonly hasChanged: () => Promise<boolean>;
}

export function watchDrift(nft: Nft, tables: readonly TableRef[], signal: AbortSignal, onDrift: () => void): DriftWatch {
  let isTouched = false;
  let loading = 0;
  /** Events of transactions up to this generation are our own. */
  let ownGeneration = -1;
  let foreignSeen = false;
  const isOurs = (table: TableRef): boolean => tables.some(({ family, name }) => family === table.family && name === table.name);
  nft.monitor((event: MonitorEvent) => {
    if (event.kind === 'dirty') {
      foreignSeen = true;
      onDrift();
    } else if (event.kind === 'change') {
      isTouched ||= isOurs(event.table);
    } else {
      const isOwn = loading > 0 || event.generation <= ownGeneration;
      if (isTouched && !isOwn) {
        foreignSeen = true;
        onDrift();
      }
      isTouched = false;
    }
  }, signal);
  return {
    async whileLoading(run) {
      loading++;
      try {
        return await run();
      } finally {
        ownGeneration = await nft.generation();
        loading--;
      }
    },
    hasChanged() {
      const seen = foreignSeen;
      foreignSeen = false;
      return Promise.resolve(seen);
    },
  };
}
