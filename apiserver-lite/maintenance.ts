import type { Logger } from 'pino';
import type { RestContext } from './rest/context.ts';
import { commitRemoval } from './rest/write.ts';

const compactEveryMs = 5 * 60 * 1000;
/** History that stays for paged lists and for watches that come back. */
const keptRevisions = 10_000;
const ensureEveryMs = 10 * 1000;
const expireEveryMs = 60 * 1000;
const batchSize = 200;
const eventLifeMs = 60 * 60 * 1000;

type EventTimes = { lastTimestamp?: string | null; eventTime?: string | null; series?: { lastObservedTime?: string } };

/** Events that nobody repeated for an hour go, as on every cluster. */
export async function expireEvents(context: RestContext): Promise<number> {
  const definition = context.registry.find('', 'v1', 'events');
  if (definition === undefined) return 0;
  const old = context.cache.resource({ group: '', resource: 'events' }).all().filter(({ object: { metadata, ...rest } }) => {
    const { lastTimestamp, eventTime, series } = rest as EventTimes;
    const last = Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '');
    return context.now() - last >= eventLifeMs;
  });
  // Together, so that they share their transactions; in parts, so that requests come between.
  for (let from = 0; from < old.length; from += batchSize) {
    await Promise.all(old.slice(from, from + batchSize).map((cached) => {
      const { namespace, name } = cached.object.metadata;
      return commitRemoval(context, { definition, namespace, name }, cached);
    }));
  }
  return old.length;
}

/** Keeps the store small for as long as the server runs. */
export function startMaintenance(context: RestContext, ensure: () => Promise<void>, log: Logger, signal: AbortSignal): void {
  const every = (ms: number, what: string, run: () => Promise<unknown>): void => {
    const timer = setInterval(() => {
      run().catch((error: unknown) => { if (!signal.aborted) log.warn({ err: error }, `${what} failed; it will be tried again`); });
    }, ms);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  };
  every(compactEveryMs, 'compaction of the store', () => context.store.compact(context.cache.revision - keptRevisions));
  every(ensureEveryMs, 'restoring what every cluster has', ensure);
  every(expireEveryMs, 'expiry of events', () => expireEvents(context));
}
