// What the kernel's monitor and the fake's say of others' changes, and what they do not.
import { Transaction } from './index.ts';
import type { MonitorEvent } from './index.ts';
import { each, endpoint, slot, table } from './testing/contract.ts';

each('the monitor tells of others\' changes and not of one\'s own', async (t, { nft, other }) => {
  const events: MonitorEvent[] = [];
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  nft.monitor((event) => {
    events.push(event);
    if (event.kind === 'generation') resolve(undefined);
  }, stop.signal);
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await other.commit(new Transaction(table).addElement(endpoint, 1, ['10.0.0.1', 80]));
  await over;
  const [change, generation] = events;
  t.is(events.length, 2);
  t.like(change, { kind: 'change', action: 'new', object: 'element', table, name: 'endpoint' });
  t.like(generation, { kind: 'generation', generation: await nft.generation() });
});

each('the monitor says which elements came and went, in a flush too', async (t, { nft, other }) => {
  await nft.commit(new Transaction(table).addElement(endpoint, 1, ['10.0.0.1', 80]).addElement(endpoint, 2, ['10.0.0.2', 80]));
  const seen: string[] = [];
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  nft.monitor((event) => {
    if (event.kind === 'change') for (const { key, data } of event.elements(event.name === 'slot' ? slot : endpoint)) seen.push(`${event.action} ${event.name} ${key.join()} ${data?.join() ?? ''}`);
    if (event.kind === 'generation' && seen.length >= 4) resolve(undefined);
  }, stop.signal);
  await other.commit(new Transaction(table).addElement(slot, [7, 1], 5).addElement(endpoint, 1, ['10.0.0.1', 80])); // the second is there already
  await other.commit(new Transaction(table).deleteElement(slot, [7, 1]));
  await other.commit(new Transaction(table).flushSet(endpoint));
  await over;
  t.deepEqual(seen.slice(0, 2), ['new slot 7,1 5', 'del slot 7,1 5']);
  t.deepEqual(seen.slice(2).sort(), ['del endpoint 1 10.0.0.1,80', 'del endpoint 2 10.0.0.2,80']);
});

each('text that one loads oneself is no foreign change either', async (t, { nft, other }) => {
  const events: MonitorEvent[] = [];
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  nft.monitor((event) => {
    events.push(event);
    if (event.kind === 'generation') resolve(undefined);
  }, stop.signal);
  await nft.loadRuleset('add chain ip contract mine\n');
  await other.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await over;
  t.deepEqual(events.filter(({ kind }) => kind === 'change').map((event) => event.kind === 'change' && event.object), ['element']);
});
