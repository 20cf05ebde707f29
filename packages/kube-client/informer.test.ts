import test from 'ava';
import type { ExecutionContext } from 'ava';
import { FakeApi, Informer, KubeClient, resources } from './index.ts';
import type { Service } from './index.ts';

const service = (name: string, port = 80): Service => ({ metadata: { name, namespace: 'd' }, spec: { ports: [{ port }] } });

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function setup(t: ExecutionContext, api: FakeApi, extra: object = {}): { informer: Informer<Service>; seen: string[]; errors: Error[] } {
  const seen: string[] = [];
  const errors: Error[] = [];
  const client = new KubeClient(api.access);
  const informer = new Informer<Service>({ client, resource: resources.services, pageSize: 2, backoff: { initialMs: 5, maxMs: 20 }, onError: (error) => errors.push(error), ...extra });
  informer.on({
    add: (object) => seen.push(`+${object.metadata?.name ?? ''}`),
    update: (object, old) => seen.push(`~${object.metadata?.name ?? ''} ${old.spec?.ports?.[0]?.port ?? 0}->${object.spec?.ports?.[0]?.port ?? 0}`),
    delete: (_old, key) => seen.push(`-${key}`),
  });
  t.teardown(async () => {
    await informer.stop();
    client.close();
  });
  informer.start();
  return { informer, seen, errors };
}

test('the first list comes page by page, then changes follow in order', async (t) => {
  await using api = await FakeApi.start();
  for (const name of ['a', 'b', 'c']) api.put(resources.services, service(name));
  const { informer, seen } = setup(t, api);
  await informer.waitForSync();
  t.deepEqual(seen, ['+a', '+b', '+c']);
  t.true(informer.hasSynced);
  api.put(resources.services, service('a', 81));
  api.remove(resources.services, 'd/b');
  await until(() => seen.length === 5, 'two changes');
  t.deepEqual(seen.slice(3), ['~a 80->81', '-d/b']);
  t.is(informer.store.byKey('d/a')?.spec?.ports?.[0]?.port, 81);
});

test('a cut connection resumes where it was, without a new list', async (t) => {
  await using api = await FakeApi.start();
  api.put(resources.services, service('a'));
  const { informer, seen } = setup(t, api);
  await informer.waitForSync();
  api.disconnect();
  api.put(resources.services, service('b'));
  await until(() => seen.length === 2, 'the change made while cut');
  t.deepEqual(seen, ['+a', '+b']);
  t.is(informer.listCount, 1);
});

test('an expired version leads to a new list, and its difference arrives as events', async (t) => {
  await using api = await FakeApi.start();
  for (const name of ['a', 'b', 'c']) api.put(resources.services, service(name));
  const { informer, seen } = setup(t, api);
  await informer.waitForSync();
  api.disconnect();
  api.put(resources.services, service('a', 90));
  api.remove(resources.services, 'd/b');
  api.put(resources.services, service('z'));
  api.compact();
  await until(() => seen.length === 6, 'the difference');
  t.deepEqual(seen.slice(3).sort(), ['+z', '-d/b', '~a 80->90']);
  t.is(informer.listCount, 2);
});

test('a handler that throws is reported and stops neither the others nor the informer', async (t) => {
  await using api = await FakeApi.start();
  const { informer, seen, errors } = setup(t, api);
  informer.on({ add: () => { throw new Error('bad handler'); } });
  await informer.waitForSync();
  api.put(resources.services, service('a'));
  api.put(resources.services, service('b'));
  await until(() => seen.length === 2, 'both');
  t.is(errors.filter((error) => error.message === 'bad handler').length, 2);
});

test('an index answers by value and follows changes; a late handler gets what is there', async (t) => {
  await using api = await FakeApi.start();
  api.put(resources.services, service('a', 1));
  api.put(resources.services, service('b', 2));
  const { informer, seen } = setup(t, api, { indexers: { port: (object: Service) => [String(object.spec?.ports?.[0]?.port)] } });
  await informer.waitForSync();
  t.deepEqual(informer.store.keysByIndex('port', '1'), ['d/a']);
  api.put(resources.services, service('a', 2));
  await until(() => seen.length === 3, 'the change');
  t.deepEqual(informer.store.keysByIndex('port', '2').sort(), ['d/a', 'd/b']);
  t.deepEqual(informer.store.keysByIndex('port', '1'), []);
  const late: string[] = [];
  informer.on({ add: (_object, key) => late.push(key) });
  t.deepEqual(late, ['d/a', 'd/b']);
});
