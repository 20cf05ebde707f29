import { CachedObject } from '../cache/cached-object.ts';
import { resourcePrefix } from '../cache/keys.ts';
import { badRequest, expiredError, tooLargeResourceVersion } from '../http/status-error.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import { StoreError } from '../store/store.ts';
import type { RestContext } from './context.ts';
import { parseSelectors } from './selectors.ts';
import type { Match } from './selectors.ts';
import type { ListMetadata } from './table.ts';
import { cacheOf, placeOf } from './write.ts';

/** How long a read waits for a revision that this server has not seen yet. */
const futureWaitMs = 3000;

export type ListResult = Readonly<{ objects: readonly CachedObject[]; metadata: ListMetadata }>;

type Token = Readonly<{ rv: number; start: string }>;

export function parseResourceVersion(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') ?? '';
  if (text === '') return undefined;
  if (!/^\d+$/.test(text)) throw badRequest(`resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
  return Number(text);
}

/** Waits for a revision from another API server, or refuses so that the client retries. */
export async function reachRevision(context: RestContext, revision: number | undefined): Promise<void> {
  if (revision === undefined) return context.cache.catchUp();
  if (!await context.cache.waitFor(revision, futureWaitMs)) throw tooLargeResourceVersion(revision, context.cache.revision);
}

/** GET of a collection: the newest state, one at least as new as asked, or exactly one revision; in pages when `limit` is given. */
export async function listObjects(context: RestContext, definition: ResourceDefinition, namespace: string | undefined, query: URLSearchParams): Promise<ListResult> {
  const match = parseSelectors(definition, query);
  const limit = Number(query.get('limit') ?? '0');
  const wanted = parseResourceVersion(query);
  const exact = query.get('resourceVersionMatch') === 'Exact';
  const continueText = query.get('continue') ?? '';
  if (exact && !wanted) throw badRequest('resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0" or unset');
  if (query.has('resourceVersionMatch') && wanted === undefined && query.get('resourceVersionMatch') !== '') throw badRequest('resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (continueText !== '' && wanted) throw badRequest('specifying resource version is not allowed when using continue');
  const token = continueText === '' ? undefined : parseToken(continueText);
  await reachRevision(context, wanted);
  const at = token?.rv ?? (exact ? wanted : undefined);
  const prefix = `${resourcePrefix(placeOf(definition))}${namespace === undefined ? '' : `${namespace}/`}`;
  const all = at === undefined ? current(context, definition, prefix) : await historic(context, definition, prefix, at, token !== undefined);
  const revision = at ?? context.cache.revision;
  const start = token?.start;
  return page(select(start === undefined ? all : all.filter(({ key }) => key > start), match), limit, revision, match === undefined);
}

const select = (objects: readonly CachedObject[], match: Match | undefined): readonly CachedObject[] =>
  (match === undefined ? objects : objects.filter((each) => match(each.object)));

function current(context: RestContext, definition: ResourceDefinition, prefix: string): readonly CachedObject[] {
  return cacheOf(context, definition).under(prefix);
}

async function historic(context: RestContext, definition: ResourceDefinition, prefix: string, revision: number, continued: boolean): Promise<readonly CachedObject[]> {
  if (cacheOf(context, definition).eventsAfter(revision)?.length === 0) return current(context, definition, prefix);
  try {
    const { entries } = await context.store.list(prefix, { revision });
    return entries.map((entry) => new CachedObject(entry.key, entry.value, entry.revision));
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'Compacted') throw error;
    throw expiredError(continued
      ? 'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.'
      : `The resourceVersion for the provided list is too old: ${error.message}`);
  }
}

function page(objects: readonly CachedObject[], limit: number, revision: number, countable: boolean): ListResult {
  if (!(limit > 0) || objects.length <= limit) return { objects, metadata: { resourceVersion: String(revision) } };
  const shown = objects.slice(0, limit);
  const token: Token = { rv: revision, start: shown.at(-1)?.key ?? '' };
  return {
    objects: shown,
    metadata: {
      resourceVersion: String(revision), continue: Buffer.from(JSON.stringify(token)).toString('base64url'),
      ...(countable && { remainingItemCount: objects.length - limit }),
    },
  };
}

function parseToken(text: string): Token {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const { rv, start } = (parsed ?? {}) as Partial<Token>;
  if (typeof rv !== 'number' || typeof start !== 'string') throw badRequest('continue key is not valid');
  return { rv, start };
}
