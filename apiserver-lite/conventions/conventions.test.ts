import test from 'ava';
import { ageSince, humanDuration } from './age.ts';
import { dataKeyFaults, dns1035Faults, dnsLabelFaults, dnsSubdomainFaults, labelValueFaults, portNameFaults, portNumberFaults, qualifiedNameFaults } from './names.ts';

test('ages are written as kubectl writes them', (t) => {
  const second = 1000;
  const [minute, hour, day] = [60 * second, 3600 * second, 86_400 * second];
  const written = [5 * second, 119 * second, 200 * second, 5 * minute, 42 * minute, 170 * minute, 7 * hour + 5 * minute, 30 * hour, 3 * day + 4 * hour, 12 * day, 900 * day, 9 * 365 * day].map(humanDuration);
  t.deepEqual(written, ['5s', '119s', '3m20s', '5m', '42m', '170m', '7h5m', '30h', '3d4h', '12d', '2y170d', '9y']);
});

test('a time that is missing has no age, one in the future beyond a second is invalid, as for kubectl', (t) => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const ages = [undefined, null, '', 'yesterday', '2025-12-31T23:59:00Z', '2026-01-01T00:00:01Z', '2026-01-01T00:00:02Z'].map((time) => ageSince(time, nowMs));
  t.deepEqual(ages, ['<unknown>', '<unknown>', '<unknown>', '<unknown>', '60s', '0s', '<invalid>']);
});

const rules: Readonly<Record<string, { readonly rule: (text: string) => readonly string[]; readonly may: readonly string[]; readonly mayNot: readonly string[] }>> = {
  'a label': { rule: dnsLabelFaults, may: ['a', '0', 'a-b', 'a'.repeat(63)], mayNot: ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'a\n', 'ä', 'a'.repeat(64)] },
  'a DNS-1035 label': { rule: dns1035Faults, may: ['a', 'a0', 'a-b', 'a'.repeat(63)], mayNot: ['', '0a', 'A', 'a-', 'a.b', 'a'.repeat(64)] },
  'a subdomain': { rule: dnsSubdomainFaults, may: ['a', 'a.b', '0.1-2.c', 'a'.repeat(253)], mayNot: ['', '.', 'a.', '.a', 'a..b', 'A.b', 'a/b', 'a'.repeat(254)] },
  'a label value': { rule: labelValueFaults, may: ['', 'A', 'a_b.c-d', 'a'.repeat(63)], mayNot: ['-', '_a', 'a ', 'a/b', 'a'.repeat(64)] },
  'a qualified name': {
    rule: qualifiedNameFaults,
    may: ['a', 'A_b.c', 'example.com/a', `${'a'.repeat(253)}/${'b'.repeat(63)}`],
    mayNot: ['', '/', '/a', 'a/', 'a/b/c', 'A.com/a', 'example.com/-', `a/${'b'.repeat(64)}`, `${'a'.repeat(254)}/b`],
  },
  'a port name': { rule: portNameFaults, may: ['http', '8080-tcp', 'a'.repeat(15)], mayNot: ['', '80', 'Http', '-a', 'a-', 'a--b', 'a'.repeat(16)] },
  'a data key': { rule: dataKeyFaults, may: ['a', '.a', 'A_b.c-d', 'a'.repeat(253)], mayNot: ['', '.', '..', '..a', 'a/b', 'a b', 'a'.repeat(254)] },
};
for (const [name, { rule, may, mayNot }] of Object.entries(rules)) {
  test(`${name}: what may be`, (t) => {
    t.deepEqual(may.flatMap(rule), []);
  });
  test(`${name}: what may not be`, (t) => {
    t.deepEqual(mayNot.filter((text) => rule(text).length === 0), []);
  });
}

test('every fault of a name is told, not only the first', (t) => {
  const faults = dnsLabelFaults('A'.repeat(64));
  t.is(faults.length, 2);
  t.is(faults[0], 'must be no more than 63 characters');
  t.regex(faults[1]!, /^a lowercase RFC 1123 label must consist/);
});

test('a port is a whole number from 1 to 65535', (t) => {
  t.deepEqual([1, 80, 65535].flatMap(portNumberFaults), []);
  t.deepEqual([0, -1, 65536, 1.5, Number.NaN].filter((port) => portNumberFaults(port).length === 0), []);
});
