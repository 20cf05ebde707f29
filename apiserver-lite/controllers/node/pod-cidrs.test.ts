import test from 'ava';
import fc from 'fast-check';
import type { Cidr } from './pod-cidrs.ts';
import { formatCidr, nextFree, parseCidr } from './pod-cidrs.ts';

test('networks are read and written in both families, with host bits cleared', (t) => {
  t.is(formatCidr(parseCidr('10.244.3.7/16')), '10.244.0.0/16');
  t.is(formatCidr(parseCidr('fd00:10:244::1/56')), 'fd00:10:244::/56');
  t.throws(() => parseCidr('10.244.0.0/40'), { message: /"10.244.0.0\/40" is not a network such as/ });
});

test('a node gets the lowest part that nobody has, also between others', (t) => {
  const network = parseCidr('10.244.0.0/22');
  t.is(formatCidr(nextFree(network, 24, [])!), '10.244.0.0/24');
  t.is(formatCidr(nextFree(network, 24, ['10.244.0.0/24', '10.244.2.0/24'].map(parseCidr))!), '10.244.1.0/24');
  t.is(nextFree(network, 24, ['10.244.0.0/23', '10.244.2.0/23'].map(parseCidr)), undefined);
});

test('any sequence of nodes gets parts that never overlap, until the network is full', (t) => {
  fc.assert(fc.property(fc.integer({ min: 18, max: 22 }), fc.integer({ min: 22, max: 26 }), (whole, part) => {
    const network = parseCidr(`10.0.0.0/${whole}`);
    const taken: Cidr[] = [];
    for (let next = nextFree(network, part, taken); next !== undefined; next = nextFree(network, part, taken)) taken.push(next);
    return taken.length === 2 ** (part - whole) && new Set(taken.map(formatCidr)).size === taken.length;
  }), { numRuns: 20 });
  t.pass();
});
