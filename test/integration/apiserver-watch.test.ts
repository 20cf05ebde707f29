import test from 'ava';
import { dig, TestServer } from './apiserver-client.ts';

let api: TestServer;
test.before(async () => { api = await TestServer.start(); });
test.after.always(() => api.stop());

let namespaceCount = 0;
/** A fresh namespace, so that tests do not see each other's objects. */
async function place(): Promise<string> {
  const name = `w${namespaceCount++}`;
  await api.call('POST', '/api/v1/namespaces', { metadata: { name } });
  return `/api/v1/namespaces/${name}/configmaps`;
}
const create = async (path: string, name: string, labels: object = {}): Promise<string> => String((await api.call('POST', path, { metadata: { name, labels } })).body.metadata['resourceVersion']);
const label = (path: string, name: string, labels: object): Promise<unknown> => api.call('PATCH', `${path}/${name}`, { metadata: { labels } }, { 'content-type': 'application/merge-patch+json' });
const names = (body: { [key: string]: unknown }): string[] => (body['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);

test.serial('a watch from a list misses nothing and repeats nothing', async (t) => {
  const path = await place();
  await create(path, 'before');
  const { body } = await api.call('GET', path);
  await create(path, 'between');
  const watch = await api.watch(`${path}?watch=true&resourceVersion=${String(body.metadata['resourceVersion'])}`);
  await create(path, 'after');
  t.deepEqual([(await watch.next()).object.metadata['name'], (await watch.next()).object.metadata['name']], ['between', 'after']);
  watch.stop();
});

test.serial('a watch without a revision starts with what is there', async (t) => {
  const path = await place();
  await create(path, 'there');
  const watch = await api.watch(`${path}?watch=true`);
  const first = await watch.next();
  t.deepEqual([first.type, first.object.metadata['name']], ['ADDED', 'there']);
  watch.stop();
});

test.serial('a selector turns changes of labels into ADDED and DELETED', async (t) => {
  const path = await place();
  const from = await create(path, 'x', { colour: 'blue' });
  const watch = await api.watch(`${path}?watch=true&resourceVersion=${from}&labelSelector=colour%3Dred`);
  await label(path, 'x', { colour: 'red' });
  await label(path, 'x', { shape: 'round' });
  await label(path, 'x', { colour: 'green' });
  t.deepEqual([(await watch.next()).type, (await watch.next()).type, (await watch.next()).type], ['ADDED', 'MODIFIED', 'DELETED']);
  watch.stop();
});

test.serial('a DELETED event carries the last state and the revision of the deletion', async (t) => {
  const path = await place();
  const from = await create(path, 'gone', { a: 'b' });
  const watch = await api.watch(`${path}?watch=true&resourceVersion=${from}`);
  await api.call('DELETE', `${path}/gone`);
  const event = await watch.next();
  t.is(event.type, 'DELETED');
  t.deepEqual(event.object.metadata['labels'], { a: 'b' });
  t.true(Number(event.object.metadata['resourceVersion']) > Number(from));
  watch.stop();
});

test.serial('sendInitialEvents sends everything, then the bookmark that ends it, then changes', async (t) => {
  const path = await place();
  await create(path, 'a');
  await create(path, 'b');
  const watch = await api.watch(`${path}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`);
  t.deepEqual([(await watch.next()).object.metadata['name'], (await watch.next()).object.metadata['name']], ['a', 'b']);
  const bookmark = await watch.next();
  t.is(bookmark.type, 'BOOKMARK');
  t.deepEqual(bookmark.object.metadata['annotations'], { 'k8s.io/initial-events-end': 'true' });
  await create(path, 'c');
  t.is((await watch.next()).object.metadata['name'], 'c');
  watch.stop();
  t.is((await api.call('GET', `${path}?watch=true&sendInitialEvents=true`)).status, 422);
});

test.serial('a watch ends after timeoutSeconds with a bookmark to go on from', async (t) => {
  const path = await place();
  const from = await create(path, 'a');
  const watch = await api.watch(`${path}?watch=true&resourceVersion=${from}&timeoutSeconds=1&allowWatchBookmarks=true`);
  t.is((await watch.next()).type, 'BOOKMARK');
  await watch.end();
});

test.serial('a revision from before the window is answered with 410 as an ERROR event', async (t) => {
  const path = await place();
  const { server } = api;
  await create(path, 'a');
  const old = Number(await create(path, 'b'));
  t.truthy(server);
  const watch = await api.watch(`${path}?watch=true&resourceVersion=1`);
  const first = await watch.next();
  // Revision 1 is the beginning of time: nothing was forgotten yet, so the server may also know everything since.
  t.true(first.type === 'ERROR' ? first.object['code'] === 410 : first.type === 'ADDED');
  t.true(old > 1);
  watch.stop();
});

test.serial('a revision from the future waits, then tells the client to try again', async (t) => {
  const path = await place();
  const current = Number(await create(path, 'a'));
  const waiting = api.call('GET', `${path}?resourceVersion=${current + 1}`);
  await create(path, 'b');
  t.is((await waiting).status, 200);
  const refused = await api.call('GET', `${path}?resourceVersion=${current + 100000}`);
  t.is(refused.status, 504);
  t.is(refused.headers['retry-after'], '1');
  t.is(dig(refused.body, 'details.causes.0.reason'), 'ResourceVersionTooLarge');
});

test.serial('pages show one revision, whatever happens between them', async (t) => {
  const path = await place();
  for (const name of ['a', 'b', 'c', 'd', 'e']) await create(path, name);
  const { body: first } = await api.call('GET', `${path}?limit=2`);
  t.deepEqual(names(first), ['a', 'b']);
  t.is(first.metadata['remainingItemCount'], 3);
  await create(path, 'bb');
  await api.call('DELETE', `${path}/d`);
  const { body: second } = await api.call('GET', `${path}?limit=2&continue=${String(first.metadata['continue'])}`);
  const { body: third } = await api.call('GET', `${path}?limit=2&continue=${String(second.metadata['continue'])}`);
  t.deepEqual([...names(second), ...names(third)], ['c', 'd', 'e']);
  t.is(third.metadata['continue'], undefined);
  t.is(third.metadata['resourceVersion'], first.metadata['resourceVersion']);
  const { body: exact } = await api.call('GET', `${path}?resourceVersion=${String(first.metadata['resourceVersion'])}&resourceVersionMatch=Exact`);
  t.deepEqual(names(exact), ['a', 'b', 'c', 'd', 'e']);
});

test.serial('set selectors and field selectors choose, a malformed one is refused', async (t) => {
  const path = await place();
  for (const [name, tier] of [['a', 'front'], ['b', 'back'], ['c', 'data']] as const) await create(path, name, { tier });
  const list = async (query: string): Promise<string[]> => names((await api.call('GET', `${path}?${query}`)).body);
  t.deepEqual(await list(`labelSelector=${encodeURIComponent('tier in (front,back)')}`), ['a', 'b']);
  t.deepEqual(await list(`labelSelector=${encodeURIComponent('tier notin (front),tier')}`), ['b', 'c']);
  t.deepEqual(await list(`labelSelector=${encodeURIComponent('!tier')}`), []);
  t.deepEqual(await list(`labelSelector=${encodeURIComponent('tier!=data')}`), ['a', 'b']);
  t.deepEqual(await list('fieldSelector=metadata.name%3Db'), ['b']);
  t.is((await api.call('GET', `${path}?fieldSelector=data.x%3Db`)).status, 400);
  t.is((await api.call('GET', `${path}?labelSelector=${encodeURIComponent('a in (b')}`)).status, 400);
});

test.serial('tables and metadata-only forms are served for lists, objects and watches', async (t) => {
  const path = await place();
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const from = await create(path, 'row');
  const { body } = await api.call('GET', path, undefined, { accept: table });
  t.is(body.kind, 'Table');
  t.deepEqual((body['columnDefinitions'] as { name: string }[]).map(({ name }) => name), ['Name', 'Data', 'Age']);
  t.is(dig(body, 'rows.0.cells.0'), 'row');
  t.is(dig(body, 'rows.0.object.kind'), 'PartialObjectMetadata');
  const metadata = await api.call('GET', path, undefined, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
  t.is(metadata.body.kind, 'PartialObjectMetadataList');
  t.true(Number(from) > 0);
});

test.serial('after a restart, objects and revisions go on and old watches need no new list', async (t) => {
  const path = await place();
  const from = await create(path, 'kept');
  await create(path, 'later');
  await api.restart();
  t.deepEqual(names((await api.call('GET', path)).body), ['kept', 'later']);
  const watch = await api.watch(`${path}?watch=true&resourceVersion=${from}`);
  t.is((await watch.next()).object.metadata['name'], 'later');
  t.true(Number(await create(path, 'new')) > Number(from));
  t.is((await watch.next()).object.metadata['name'], 'new');
  watch.stop();
});
