// What the kernel's monitor and the fake's say of others' changes, and what they do not.
import type { ExecutionContext } from 'ava';
import { Transaction } from './index.ts';
import type { MonitorChange, MonitorEvent, Nft } from './index.ts';
import { each, endpoint, slot, table } from './testing/contract.ts';

/** Listens from now on; `after(n)` resolves with all events when n transactions have been told. */
function listen(t: ExecutionContext, nft: Nft): { after: (transactions: number) => Promise<readonly MonitorEvent[]> } {
  const events: MonitorEvent[] = [];
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  let wanted = Number.POSITIVE_INFINITY;
  const { promise, resolve } = Promise.withResolvers<readonly MonitorEvent[]>();
  const look = (): void => { if (events.filter(({ kind }) => kind === 'generation').length >= wanted) resolve(events); };
  nft.monitor((event) => {
    events.push(event);
    look();
  }, stop.signal);
  return {
    after(transactions) {
      wanted = transactions;
      look();
      return promise;
    },
  };
}

const changes = (events: readonly MonitorEvent[]): MonitorChange[] => events.filter((event) => event.kind === 'change');

each('the monitor tells of others\' changes and not of one\'s own', async (t, { nft, other }) => {
  const heard = listen(t, nft);
  await nft.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  await other.commit(new Transaction(table).addElement(endpoint, 1, ['10.0.0.1', 80]));
  const [change, generation, ...more] = await heard.after(1);
  t.like(change, { kind: 'change', action: 'new', object: 'element', table, name: 'endpoint' });
  t.like(generation, { kind: 'generation', generation: await nft.generation() });
  t.deepEqual(more, []);
});

each('the monitor says which elements came and went, in a flush too', async (t, { nft, other }) => {
  await nft.commit(new Transaction(table).addElement(endpoint, 1, ['10.0.0.1', 80]).addElement(endpoint, 2, ['10.0.0.2', 80]));
  const heard = listen(t, nft);
  await other.commit(new Transaction(table).addElement(slot, [7, 1], 5).addElement(endpoint, 1, ['10.0.0.1', 80])); // the second is there already
  await other.commit(new Transaction(table).deleteElement(slot, [7, 1]));
  await other.commit(new Transaction(table).flushSet(endpoint));
  const seen = changes(await heard.after(3)).flatMap((event) => event.elements(event.name === 'slot' ? slot : endpoint).map(({ key, data }) => `${event.action} ${event.name} ${key.join()} ${data?.join() ?? ''}`));
  t.deepEqual(seen.slice(0, 2), ['new slot 7,1 5', 'del slot 7,1 5']);
  t.deepEqual(seen.slice(2).sort(), ['del endpoint 1 10.0.0.1,80', 'del endpoint 2 10.0.0.2,80']);
});

each('text that one loads oneself is no foreign change either', async (t, { nft, other }) => {
  const heard = listen(t, nft);
  await nft.loadRuleset('add chain ip contract mine\n');
  await other.commit(new Transaction(table).addElement(slot, [1, 0], 5));
  t.deepEqual(changes(await heard.after(1)).map(({ object }) => object), ['element']);
});
