import test from 'ava';
import { parseLabelSelector } from './selectors.ts';

const matches = (text: string, labels: Record<string, string>): boolean => parseLabelSelector(text).every((each) => each(labels));

const cases: readonly [selector: string, labels: Record<string, string>, expected: boolean][] = [
  ['', {}, true], ['a=1', { a: '1' }, true], ['a==1', { a: '2' }, false], ['a!=1', {}, true], ['a!=1', { a: '1' }, false],
  ['a', { a: '' }, true], ['a', {}, false], ['!a', {}, true], ['!a', { a: '' }, false],
  ['a in (1,2)', { a: '2' }, true], ['a in (1, 2)', { a: '3' }, false], ['a in (1)', {}, false],
  ['a notin (1,2)', { a: '2' }, false], ['a notin (1)', {}, true],
  ['a=1,b in (x,y),!c', { a: '1', b: 'y' }, true], ['a=1,b=2', { a: '1' }, false],
  ['example.com/name=web-1.x', { 'example.com/name': 'web-1.x' }, true], ['n>3', { n: '4' }, true], ['n<3', { n: '4' }, false], ['n>3', {}, false],
];
for (const [selector, labels, expected] of cases) {
  test(`"${selector}" ${expected ? 'selects' : 'leaves'} ${JSON.stringify(labels)}`, (t) => t.is(matches(selector, labels), expected));
}

test('what is no selector is refused', (t) => {
  for (const text of ['a in (1', 'a b', '=1', 'a in 1']) t.throws(() => parseLabelSelector(text), undefined, text);
});
