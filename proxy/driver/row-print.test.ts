import test from 'ava';
import * as fc from 'fast-check';
import type { Row } from '../core/rows.ts';
import { RowPrint } from './row-print.ts';

const print = (rows: readonly Row[]): RowPrint => {
  const made = new RowPrint();
  for (const row of rows) made.add(row);
  return made;
};
const rows = fc.uniqueArray(fc.record({ map: fc.constant('slot' as const), key: fc.tuple(fc.nat(50), fc.nat(9)), data: fc.tuple(fc.nat(9)) }), { selector: ({ key }) => key.join(), maxLength: 40 });

test('the same rows in any order have the same print', (t) => {
  fc.assert(fc.property(rows, fc.nat(), (some, turn) => {
    const at = some.length === 0 ? 0 : turn % some.length;
    return print(some).equals(print([...some.slice(at), ...some.slice(0, at)]));
  }));
  t.pass();
});

test('a row more, a row less or a row with other data has another', (t) => {
  fc.assert(fc.property(rows.filter((some) => some.length > 0), (some) => {
    const [first, ...rest] = some;
    if (first === undefined) return true;
    const whole = print(some);
    const changed: Row = { ...first, data: [first.data[0] + 1] };
    return !whole.equals(print(rest)) && !whole.equals(print([changed, ...rest])) && !whole.equals(print([...some, { ...first, key: [99, 0] }]));
  }));
  t.pass();
});

test('two rows that swap their data have another', (t) => {
  const slot = (index: number, endpoint: number): Row => ({ map: 'slot', key: [1, index], data: [endpoint] });
  t.false(print([slot(0, 5), slot(1, 6)]).equals(print([slot(0, 6), slot(1, 5)])));
});
