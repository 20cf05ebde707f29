import test from 'ava';
import ipaddr from 'ipaddr.js';
import fc from 'fast-check';
import { cidrContains, formatCidr, formatIp, lastOf, networkOf, parseCidr, parseIp } from './address.ts';
import { candidates, capacity, parseRanges } from './ranges.ts';

const set = (range: object) => parseRanges([[range as { subnet: string }]])[0]!;
const listed = (range: object, last?: string): readonly string[] =>
  [...candidates(set(range), last === undefined ? undefined : parseIp(last))].map(({ range: { family }, value }) => formatIp({ family, value }));

test('addresses are given in turn, from the one after the last, without gateway, network and broadcast', (t) => {
  t.deepEqual(listed({ subnet: '10.0.0.0/29' }), ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  t.deepEqual(listed({ subnet: '10.0.0.0/29' }, '10.0.0.4'), ['10.0.0.5', '10.0.0.6', '10.0.0.2', '10.0.0.3', '10.0.0.4']);
  t.deepEqual(listed({ subnet: '10.0.0.0/29', gateway: '10.0.0.4' }, '10.0.0.6'), ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6']);
  t.deepEqual(listed({ subnet: 'fd00::/126' }), ['fd00::2', 'fd00::3']);
  t.deepEqual(listed({ subnet: '10.0.0.0/24', rangeStart: '10.0.0.9', rangeEnd: '10.0.0.10' }, '192.0.2.1'), ['10.0.0.9', '10.0.0.10']);
});

test('a set of several ranges is gone through once, wherever it starts', (t) => {
  const ranges = parseRanges([[{ subnet: '10.0.0.0/30' }, { subnet: '10.0.1.0/29' }]])[0]!;
  fc.assert(fc.property(fc.option(fc.constantFrom('10.0.0.2', '10.0.1.3', '10.0.1.6')), (last) => {
    const all = [...candidates(ranges, last === null ? undefined : parseIp(last))].map(({ value }) => value);
    t.is(new Set(all).size, all.length);
    t.is(BigInt(all.length), capacity(ranges));
  }));
});

test('candidates and capacity agree for any range', (t) => {
  fc.assert(fc.property(fc.integer({ min: 22, max: 30 }), fc.nat(1000), fc.nat(1000), fc.nat(1000), (prefix, a, b, g) => {
    const size = 2 ** (32 - prefix);
    const at = (offset: number): string => formatIp({ family: 4, value: 0x0a000000n + BigInt(offset % size) });
    const [start, end] = [a % size, b % size].sort((x, y) => x - y) as [number, number];
    const range = set({ subnet: `10.0.0.0/${prefix}`, rangeStart: at(start), rangeEnd: at(end), gateway: at(g) });
    t.is(BigInt([...candidates(range)].length), capacity(range));
  }));
});

for (const [what, ranges, message] of [
  ['no CIDR', [[{ subnet: '10.0.0' }]], /ipam\.ranges\[0\]\[0\]\.subnet: "10\.0\.0" is not a CIDR/],
  ['host bits', [[{ subnet: '10.0.0.1/24' }]], /write 10\.0\.0\.0\/24/],
  ['a subnet of one address', [[{ subnet: '10.0.0.0/32' }]], /too small/],
  ['a start outside', [[{ subnet: '10.0.0.0/24', rangeStart: '10.0.1.1' }]], /rangeStart: "10\.0\.1\.1" lies outside 10\.0\.0\.0\/24/],
  ['a start after the end', [[{ subnet: '10.0.0.0/24', rangeStart: '10.0.0.9', rangeEnd: '10.0.0.3' }]], /lies after rangeEnd 10\.0\.0\.3/],
  ['a gateway of the other family', [[{ subnet: '10.0.0.0/24', gateway: 'fd00::1' }]], /is not IPv4/],
  ['families mixed in a set', [[{ subnet: '10.0.0.0/24' }, { subnet: 'fd00::/64' }]], /mixes IPv4 and IPv6/],
  ['overlap', [[{ subnet: '10.0.0.0/16' }], [{ subnet: '10.0.5.0/24' }]], /overlaps 10\.0\.0\.1-10\.0\.255\.254/],
  ['an empty set', [[]], /empty set/],
] as const) {
  test(`${what} is refused with key and value`, (t) => { t.throws(() => parseRanges(ranges), { message, code: 7 as never }); });
}

test('text and number of an address are the same thing', (t) => {
  fc.assert(fc.property(fc.constantFrom(4, 6), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.nat(128), (family, any, bits) => {
    const value = family === 4 ? any % 2n ** 32n : any;
    const ip = { family: family, value };
    const back = parseIp(formatIp(ip));
    // An IPv4-mapped IPv6 address is its IPv4 address.
    if (family === 4 || back?.family === 6) t.deepEqual(back, ip);
    const cidr = { family: ip.family, address: value, prefix: bits % (family === 4 ? 33 : 129) };
    t.true(cidrContains(cidr, ip));
    t.true(networkOf(cidr) <= value && value <= lastOf(cidr));
    if (back?.family === ip.family) t.deepEqual(parseCidr(formatCidr(cidr)), cidr);
  }));
  for (const text of ['10.1', '010.0.0.1', '1.2.3.4.5', 'fe80::1%eth0', '', 'x', '::1::']) t.is(parseIp(text), undefined, text);
});

test('IPv4 addresses are read as ipaddr.js reads them, and so are those that are none', (t) => {
  const number = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.constantFrom('', '00', '01', '0x1', ' 1', '1 ', '1e1', '+1', '1000'));
  const text = fc.oneof(fc.array(number, { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')), fc.string());
  fc.assert(fc.property(text.filter((each) => !each.includes(':')), (each) => {
    const theirs = ipaddr.IPv4.isValidFourPartDecimal(each) ? ipaddr.IPv4.parse(each).toString() : undefined;
    const ours = parseIp(each);
    t.is(ours === undefined ? undefined : formatIp(ours), theirs);
  }), { numRuns: 500 });
  for (const each of ['10.0.0.1/', '10.0.0.1/0x8', '10.0.0.1/ 8', '10.0.0.1/33', '10.0.0.1/1e1', '/8', '10.0.0.1', 'fd00::/129', '10.0.0.1/8/8']) t.is(parseCidr(each), undefined, each);
});
