import test from 'ava';
import type { ConntrackEntry } from 'nftables-js';
import { TableState } from '../core/table-state.ts';
import { RowTable } from '../testing/row-table.ts';
import { service, slice } from '../testing/objects.ts';
import { World } from '../testing/world.ts';
import { ConntrackCleaner } from './conntrack-cleaner.ts';

const flow = (id: number, answerer: string, flags: ConntrackEntry['flags']): ConntrackEntry => ({
  family: 'ip', protocol: 17, id, mark: 0, status: 0, zone: 0, flags,
  original: { src: '10.244.1.9', dst: '10.96.0.1', srcPort: 1000 + id, dstPort: 80 }, reply: { src: answerer, dst: '10.244.1.9', srcPort: 8080, dstPort: 1000 + id },
});

function scene(flows: ConntrackEntry[]): { cleaner: ConntrackCleaner; move: (address: string) => void; clean: (now: number) => number; ids: () => number[] } {
  const table = flows;
  const cleaner = new ConntrackCleaner({
    list: () => [...table],
    delete: ({ id }) => table.splice(table.findIndex((one) => one.id === id), 1).length > 0,
  });
  const state = new TableState('ip', { onEndpointGone: (port, endpoint) => cleaner.onEndpointGone(port, endpoint), onFrontChanged: (_port, key, isThere) => cleaner.onFrontChanged(key, isThere) });
  const rows = new RowTable();
  const world = new World();
  world.apply({ kind: 'service', object: service('s', ['10.96.0.1']) });
  const move = (address: string): void => {
    for (const key of world.apply({ kind: 'slice', object: slice('s-4', 's', [{ address }]) })) state.update(key, world.desired(key, 'ip'), rows);
  };
  return { cleaner, move, clean: (now) => cleaner.clean(state, () => false, now, 40), ids: () => table.map(({ id }) => id) };
}

test('a stale flow that was answered goes at once, one that waits for its first answer goes after the grace', (t) => {
  const { cleaner, move, clean, ids } = scene([flow(1, '10.244.1.2', ['SEEN_REPLY']), flow(2, '10.244.1.2', []), flow(3, '10.244.1.3', ['SEEN_REPLY'])]);
  move('10.244.1.2');
  move('10.244.1.3');
  t.is(clean(1000), 1);
  t.deepEqual(ids(), [2, 3]);
  t.true(cleaner.done(1000, 40), 'another look is needed');
  t.true(cleaner.isNeeded);
  t.is(clean(1039), 0);
  t.true(cleaner.done(1039, 40));
  t.is(clean(1040), 1);
  t.false(cleaner.done(1040, 40));
  t.deepEqual(ids(), [3]);
  t.false(cleaner.isNeeded);
});

test('a spared flow that is answered meanwhile goes with the next look; one that ended by itself keeps nobody waiting', (t) => {
  const flows = [flow(1, '10.244.1.2', []), flow(2, '10.244.1.2', [])];
  const { cleaner, move, clean, ids } = scene(flows);
  move('10.244.1.2');
  move('10.244.1.3');
  t.is(clean(0), 0);
  flows.splice(0, 2, flow(1, '10.244.1.2', ['SEEN_REPLY']));
  t.is(clean(10), 1);
  t.deepEqual(ids(), []);
  t.true(cleaner.done(10, 40));
  t.is(clean(40), 0);
  t.false(cleaner.done(40, 40));
});
