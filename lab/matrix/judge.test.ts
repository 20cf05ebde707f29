import test from 'ava';
import * as fc from 'fast-check';
import type { ProbeResult } from '../probe/protocol.ts';
import { judge } from './judge.ts';
import type { Cell, CellResult } from './model.ts';
import { answer, base, broken, refused, timeout } from './testing.ts';

const byName: Cell = { ...base, lookup: { name: 'x', server: '10.96.0.10', port: 53 } };
for (const [title, cell, attempts, wanted] of [
  ['answers from allowed pods that saw the right source', base, [answer('other', '10.0.0.1'), answer('me', '10.0.0.254')], { result: 'passed', observed: 'ok', reason: '' }],
  ['a wrong source', base, [answer('other', '10.0.0.9')], { result: 'failed', observed: 'wrong source', reason: 'other saw 10.0.0.9; expected 10.0.0.1' }],
  ['a pod that sees itself unmasqueraded', base, [answer('me', '10.0.0.1')], { result: 'failed', observed: 'wrong source' }],
  ['a foreign endpoint', base, [answer('stranger', '10.0.0.1')], { result: 'failed', observed: 'wrong endpoint', reason: 'stranger answered; expected me or other' }],
  ['silence', base, [timeout, timeout], { result: 'failed', observed: 'timeout', reason: 'silence where an answer was expected, at 10.96.0.1:80' }],
  ['a refusal', base, [refused, refused], { result: 'failed', observed: 'refused' }],
  ['a mixture', base, [answer('other', '10.0.0.1'), timeout], { result: 'failed', observed: 'flaky', reason: '1 x ok, 1 x timeout' }],
  ['an error of the socket', base, [broken], { result: 'failed', observed: 'error', reason: 'ENETUNREACH at 10.96.0.1:80' }],
  ['an expected refusal', { ...base, expected: 'refused' }, [refused, refused, refused], { result: 'passed', observed: 'refused' }],
  ['an answer where silence was expected', { ...base, expected: 'timeout' }, [answer('other', '10.0.0.1')], { result: 'failed', observed: 'ok' }],
  ['a name that means another address', byName, [{ ...answer('other', '10.0.0.1'), resolved: ['10.96.0.9'] }], { result: 'failed', observed: 'wrong address', reason: 'x is 10.96.0.9 to 10.96.0.10; expected 10.96.0.1' }],
  ['a name without an address', byName, [{ ...broken, resolved: [] }], { result: 'failed', observed: 'wrong address', reason: 'x is nothing to 10.96.0.10; expected 10.96.0.1' }],
  ['a name that means the right address', byName, [{ ...answer('other', '10.0.0.1'), resolved: ['10.96.0.1'] }], { result: 'passed', observed: 'ok' }],
  ['a DNS that is silent', byName, [{ ...timeout, failedAt: 'lookup' }], { result: 'failed', observed: 'timeout', reason: 'silence where an answer was expected, at the DNS 10.96.0.10:53, asked for x' }],
  ['a skipped cell', { ...base, skip: 'no DNS' }, [], { result: 'skipped', observed: 'skipped', reason: 'no DNS' }],
  ['two pods where one should stick', { ...base, pattern: 'sticky' }, [answer('other', '10.0.0.1'), answer('me', '10.0.0.254')], { result: 'failed', observed: 'not sticky' }],
  ['a pod that never answered where all should', { ...base, pattern: 'spread' }, [answer('other', '10.0.0.1')], { result: 'failed', observed: 'uneven', reason: 'me answered none of 1 attempts' }],
] as const satisfies readonly (readonly [string, Cell, readonly ProbeResult[], Partial<CellResult>])[]) {
  test(`judged: ${title}`, (t) => { t.like(judge(cell, attempts), wanted); });
}

test('a cell passes only with every attempt as expected (law)', (t) => {
  const outcome = fc.constantFrom(answer('other', '10.0.0.1'), refused, timeout, broken);
  fc.assert(fc.property(fc.array(outcome, { minLength: 1, maxLength: 6 }), fc.constantFrom('ok', 'refused', 'timeout'), (attempts, expected) => {
    const wanted = { ok: attempts.every(({ ok }) => ok), refused: attempts.every((one) => one.refused), timeout: attempts.every((one) => one.timeout) }[expected];
    t.is(judge({ ...base, expected }, attempts).result === 'passed', wanted);
  }));
});
