import type { CachedObject } from '../cache/cached-object.ts';
import type { CacheEvent } from '../cache/resource-cache.ts';
import { badRequest, expiredError, invalidError } from '../http/status-error.ts';
import type { StatusError } from '../http/status-error.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import { resourcePrefix } from '../cache/keys.ts';
import { apiVersionOf } from '../registry/registry.ts';
import type { RestContext } from './context.ts';
import { parseResourceVersion, reachRevision } from './list.ts';
import { parseSelectors } from './selectors.ts';
import { renderOne } from './table.ts';
import type { Form } from './table.ts';
import { cacheOf, placeOf } from './write.ts';

/** Where a watch writes; the HTTP layer ties it to the response. */
export type WatchSink = Readonly<{ send(line: string): void; end(): void }>;
export type RunningWatch = Readonly<{ stop(): void }>;

const bookmarkEveryMs = 60_000;
const whole: Form = { as: 'object' };
/** Rendered once, however many watchers there are. */
const renderedEvents = new WeakMap<CacheEvent, string>();

/** Starts a watch; what it must refuse, it refuses before the first byte. */
export async function startWatch(context: RestContext, definition: ResourceDefinition, namespace: string | undefined, query: URLSearchParams, form: Form, open: () => WatchSink): Promise<RunningWatch> {
  const match = parseSelectors(definition, query);
  const wanted = parseResourceVersion(query);
  const initial = initialEvents(definition, query, wanted);
  if (wanted !== undefined && wanted > 0) await reachRevision(context, wanted);
  else await context.cache.catchUp();
  const cache = cacheOf(context, definition);
  const prefix = `${resourcePrefix(placeOf(definition))}${namespace === undefined ? '' : `${namespace}/`}`;
  const bookmarks = query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1';
  const sink = open();
  let first = true;
  const render = (type: string, object: CachedObject): string => {
    const text = `{"type":"${type}","object":${renderOne(definition, object, form, context.now(), first)}}\n`;
    first = false;
    return text;
  };
  const deliver = (event: CacheEvent): void => {
    if (!event.current.key.startsWith(prefix)) return;
    if (match === undefined) {
      sink.send(form.as === whole.as && form.view === undefined ? renderedOnce(event) : render(event.type, event.current));
      return;
    }
    const before = event.previous !== undefined && match(event.previous.object);
    const after = event.type !== 'DELETED' && match(event.current.object);
    if (after) sink.send(render(before ? 'MODIFIED' : 'ADDED', event.current));
    else if (before) sink.send(render('DELETED', event.current));
  };
  const bookmark = (annotations?: Record<string, string>): void => sink.send(bookmarkLine(definition, form, context.cache.revision, annotations));

  if (initial === 'all') {
    for (const object of cache.under(prefix)) if (match === undefined || match(object.object)) sink.send(render('ADDED', object));
    if (query.get('sendInitialEvents') === 'true') bookmark({ 'k8s.io/initial-events-end': 'true' });
  } else {
    const missed = initial === 'none' ? [] : cache.eventsAfter(initial);
    if (missed === undefined) {
      sink.send(errorLine(expiredError(`too old resource version: ${initial} (${cache.windowStart})`)));
      sink.end();
      return { stop: () => undefined };
    }
    for (const event of missed) deliver(event);
  }
  const unlisten = cache.listen(deliver);
  const seconds = Number(query.get('timeoutSeconds') ?? '0') || 1800 + Math.random() * 1800;
  const timeout = setTimeout(() => {
    if (bookmarks) bookmark();
    stop();
    sink.end();
  }, seconds * 1000);
  const beat = bookmarks ? setInterval(bookmark, bookmarkEveryMs) : undefined;
  function stop(): void {
    unlisten();
    clearTimeout(timeout);
    clearInterval(beat);
  }
  return { stop };
}

function renderedOnce(event: CacheEvent): string {
  let text = renderedEvents.get(event);
  if (text === undefined) {
    text = `{"type":"${event.type}","object":${event.current.json}}\n`;
    renderedEvents.set(event, text);
  }
  return text;
}

/** What to send before the stream: everything, nothing, or what happened after a revision. */
function initialEvents(definition: ResourceDefinition, query: URLSearchParams, wanted: number | undefined): 'all' | 'none' | number {
  const send = query.get('sendInitialEvents');
  const rule = query.get('resourceVersionMatch') ?? '';
  if (send === null) {
    if (rule !== '') throw badRequest('resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    return wanted === undefined || wanted === 0 ? 'all' : wanted;
  }
  if (rule !== 'NotOlderThan') throw invalidError({ ...definition, kind: 'ListOptions', group: 'meta.k8s.io' }, '', [{ type: 'Forbidden', field: 'resourceVersionMatch', detail: 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan' }]);
  if (send === 'true' || send === '1') return 'all';
  return wanted === undefined || wanted === 0 ? 'none' : wanted;
}

function bookmarkLine(definition: ResourceDefinition, form: Form, revision: number, annotations?: Record<string, string>): string {
  const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...(annotations && { annotations }) };
  const plain = { kind: definition.kind, apiVersion: apiVersionOf(form.view ?? definition), metadata };
  const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
  const table = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: String(revision) }, columnDefinitions: null, rows: [{ cells: [], object: partial }] };
  return `${JSON.stringify({ type: 'BOOKMARK', object: form.as === 'table' ? table : form.as === 'metadata' ? partial : plain })}\n`;
}

const errorLine = (error: StatusError): string => `${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`;
