import test from 'ava';
import { milliValue, parseQuantity, quantityValue } from './quantity.ts';

test('quantities are numbers in their base unit, whatever their suffix', (t) => {
  t.deepEqual(
    ['250m', '100m', '1', '1.5', '.5', '1Gi', '64Mi', '1.5G', '2k', '2Ki', '1e3', '1E-3', '100n', '3n', '-1'].map(parseQuantity),
    [0.25, 0.1, 1, 1.5, 0.5, 2 ** 30, 67_108_864, 1.5e9, 2000, 2048, 1000, 0.001, 1e-7, 3e-9, -1],
  );
  t.is(milliValue('0.1'), 100);
  t.is(milliValue('100u'), 1);
});

test('what is no quantity is told from nought, and named where it was taken for one', (t) => {
  t.deepEqual(['', '1ZZ', 'x', '1e3Ki', '1 Gi', undefined].map((text) => quantityValue(text)), [undefined, undefined, undefined, undefined, undefined, undefined]);
  t.throws(() => parseQuantity('lots'), { instanceOf: RangeError, message: /"lots" is not a quantity/ });
});
