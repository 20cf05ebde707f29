import test from 'ava';
import { ROW_MAPS } from '../core/rows.ts';
import { Suspicion, keyText } from './suspicion.ts';

const slot = (id: number) => ({ map: 'slot', key: [id, 0], data: [1] }) as const;

test('nothing is suspected until it is said', (t) => {
  const suspicion = new Suspicion();
  t.is(suspicion.rules, 'trusted');
  for (const map of ROW_MAPS) t.is(suspicion.rowsOf(map), undefined);
});

test('rows are named once, and a map read whole needs none of them', (t) => {
  const suspicion = new Suspicion();
  suspicion.addRow(slot(1));
  suspicion.addRow(slot(1));
  suspicion.addRow(slot(2));
  const rows = suspicion.rowsOf('slot');
  t.deepEqual(rows === 'all' ? rows : [...rows?.keys() ?? []], ['1 0', '2 0']);
  suspicion.addMap('slot');
  suspicion.addRow(slot(3));
  t.is(suspicion.rowsOf('slot'), 'all');
  t.is(suspicion.rowsOf('count'), undefined);
});

test('so many rows of a map that reading it whole is no slower: the whole map', (t) => {
  const suspicion = new Suspicion();
  for (let id = 0; id < 20_000; id++) suspicion.addRow(slot(id));
  t.is(suspicion.rowsOf('slot'), 'all');
});

test('two suspicions together say what each of them says', (t) => {
  const one = new Suspicion();
  one.addRow(slot(1));
  one.rules = 'changed';
  const two = new Suspicion();
  two.addRow(slot(2));
  two.addMap('count');
  two.rules = 'to be compared';
  one.add(two);
  const rows = one.rowsOf('slot');
  t.deepEqual(rows === 'all' ? rows : [...rows?.keys() ?? []], ['1 0', '2 0']);
  t.is(one.rowsOf('count'), 'all');
  t.is(one.rules, 'changed');
  const all = Suspicion.everything();
  all.add(one);
  t.is(all.rules, 'changed');
  for (const map of ROW_MAPS) t.is(all.rowsOf(map), 'all');
});

test('a range is another key than its first address; a range of one address is that address', (t) => {
  t.not(keyText({ map: 'source-ok', key: [1, '10.0.0.0'], keyEnd: [1, '10.0.0.255'] }), keyText({ map: 'source-ok', key: [1, '10.0.0.0'] }));
  t.is(keyText({ map: 'source-ok', key: [1, '10.0.0.0'], keyEnd: [1, '10.0.0.0'] }), keyText({ map: 'source-ok', key: [1, '10.0.0.0'] }));
});
