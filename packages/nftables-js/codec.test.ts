import test from 'ava';
import * as fc from 'fast-check';
import { parseConntrack, writeConntrackTuple } from './conntrack-codec.ts';
import { ElementView, writeElement } from './element-codec.ts';
import { packDatatypes, unpackDatatypes } from './fields.ts';
import type { FieldType } from './fields.ts';
import { NftError, cidrRange, defineMap, defineSet, parseTraceMessage, readValue, showValue } from './index.ts';
import type { ElementValue, Verdict } from './index.ts';
import { parseMonitorMessage } from './monitor.ts';
import { parseNftFailure } from './ruleset.ts';
import { MSG } from './wire.ts';
import { MessageWriter } from './writer.ts';

const table = { family: 'ip', name: 't' } as const;

const ipv4 = fc.tuple(...[0, 0, 0, 0].map(() => fc.nat(255))).map((octets) => octets.join('.'));
const ipv6 = fc.ipV6().map((address) => new URL(`http://[${address}]`).hostname.slice(1, -1));
const VALUES = {
  ipv4_addr: ipv4,
  ipv6_addr: ipv6,
  inet_proto: fc.constantFrom('tcp', 'udp', 'sctp', 99),
  inet_service: fc.nat(65535),
  mark: fc.nat(0xffffffff),
  ether_addr: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('hex').replace(/(..)(?!$)/g, '$1:')),
  ifname: fc.stringMatching(/^[a-z][a-z0-9]{0,14}$/),
} as const satisfies Readonly<Record<FieldType, fc.Arbitrary<string | number>>>;
const types = Object.keys(VALUES) as FieldType[];
const concatenation = fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 4 }).chain((fields) =>
  fc.tuple(fc.constant(fields), fc.tuple(...fields.map((field) => VALUES[field] as fc.Arbitrary<string | number>))));

function encode(set: ReturnType<typeof defineSet>, key: ElementValue, data?: ElementValue | Verdict): ElementView {
  const writer = new MessageWriter(8);
  writeElement(writer, set, key, data, undefined);
  return new ElementView(set, writer.bytes.subarray(4, writer.length));
}

test('what is written into an element is read out of it, for every combination of types', (t) => {
  fc.assert(fc.property(concatenation, concatenation, ([keyTypes, key], [dataTypes, data]) => {
    const set = defineMap(table, 's', keyTypes, dataTypes);
    const { key: readKey, data: readData } = encode(set, key, data).decode();
    t.deepEqual(readKey, key);
    t.deepEqual(readData, data);
  }));
});

test('an encoded element is a whole number of 4-byte words, and its header says how long it is', (t) => {
  fc.assert(fc.property(concatenation, ([fields, key]) => {
    const writer = new MessageWriter(8);
    writeElement(writer, defineSet(table, 's', fields), key, undefined, undefined);
    t.is(writer.length % 4, 0);
    t.is(writer.bytes.readUInt16LE(0), writer.length);
  }));
});

test('the types of a concatenation survive the kernel\'s packed form', (t) => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 5 }), (fields) => t.deepEqual(unpackDatatypes(packDatatypes(fields)), fields)));
});

test('a concatenation pads each field to 4 bytes, a single field is as long as itself', (t) => {
  t.is(defineSet(table, 's', ['inet_service']).key.length, 2);
  t.is(defineSet(table, 's', ['ipv4_addr', 'inet_proto', 'inet_service']).key.length, 12);
  const { rawKey } = encode(defineSet(table, 's', ['ipv4_addr', 'inet_proto', 'inet_service', 'mark']), ['10.96.0.10', 'tcp', 80, 0x01020304]);
  t.is(rawKey.toString('hex'), '0a60000a' + '06000000' + '00500000' + '04030201');
});

for (const [bad, fields] of [
  ['1.2.3', ['ipv4_addr']], ['1.2.3.4.5', ['ipv4_addr']], ['01.2.3.4', ['ipv4_addr']], ['1.2.3.', ['ipv4_addr']], ['', ['ipv4_addr']], ['1.2.3.256', ['ipv4_addr']],
  ['::1::', ['ipv6_addr']], ['1:2:3', ['ipv6_addr']], ['12345::', ['ipv6_addr']], [5, ['ipv6_addr']], ['1:2:3:4:5:6:7:8::', ['ipv6_addr']],
  [-1, ['mark']], [1.5, ['mark']], [2 ** 32, ['mark']], ['aa:bb', ['ether_addr']], ['interface-name-16', ['ifname']],
] as const satisfies readonly (readonly [string | number, readonly FieldType[]])[]) {
  test(`${JSON.stringify(bad)} is refused as ${fields.join()}`, (t) => {
    const error = t.throws(() => encode(defineSet(table, 's', fields), bad), { instanceOf: NftError });
    t.is(error.code, 'EUSAGE');
  });
}

for (const [cidr, first, end] of [
  ['10.96.0.0/16', '0a600000', '0a610000'], ['10.0.0.1', '0a000001', '0a000002'], ['0.0.0.0/0', '00000000', undefined], ['255.255.255.255', 'ffffffff', undefined],
  ['fd00::/64', 'fd000000000000000000000000000000', 'fd000000000000010000000000000000'],
] as const) {
  test(`${cidr} is the keys from ${first} up to ${end ?? 'the last'}`, (t) => {
    const range = cidrRange(cidr);
    t.is(Buffer.from(range.first).toString('hex'), first);
    t.is(range.end === undefined ? undefined : Buffer.from(range.end).toString('hex'), end);
  });
}

test('a CIDR with host bits or too many bits is refused', (t) => {
  for (const bad of ['10.0.0.1/8', '10.0.0.0/33', '10.0.0.0/x', 'fd00::1/64']) t.throws(() => cidrRange(bad), { code: 'EUSAGE' }, bad);
});

test('values are shown as nft lists them', (t) => {
  const view = encode(defineMap(table, 's', ['ipv4_addr', 'inet_proto', 'inet_service'], ['mark']), ['10.96.0.10', 'udp', 53], 0x80000001);
  t.is(view.toString(), '10.96.0.10 . udp . 53 : 0x80000001');
  t.is(showValue(view.set.key, view.rawKey), '10.96.0.10 . udp . 53');
  t.deepEqual(readValue(view.set.key, view.rawKey), ['10.96.0.10', 'udp', 53]);
});

test('a trace message is decoded', (t) => {
  const writer = new MessageWriter();
  writer.string(1, 'podwire');
  writer.string(2, 'services');
  writer.u64be(3, 42n);
  writer.u32be(4, 3);
  const verdict = writer.beginNested(5);
  writer.u32be(1, -3);
  writer.string(2, 'cluster-ip');
  writer.endNested(verdict);
  writer.u32be(6, 0xabcd);
  writer.raw(8, Buffer.from('4500', 'hex'));
  writer.u32be(18, 777);
  writer.u8(19, 1);
  const payload = Buffer.concat([Buffer.from([2, 0, 0, 0]), writer.bytes.subarray(0, writer.length)]);
  t.deepEqual(parseTraceMessage(payload), {
    family: 'ip', table: 'podwire', chain: 'services', type: 'rule', traceId: 0xabcd, ruleHandle: 42n,
    verdict: { verdict: 'jump', chain: 'cluster-ip' }, networkHeader: Buffer.from('4500', 'hex'), conntrackId: 777, conntrackDirection: 'reply',
  });
});

test('a generation message names the process', (t) => {
  const writer = new MessageWriter();
  writer.u32be(1, 12);
  writer.u32be(2, 4711);
  writer.string(3, 'nft');
  const payload = Buffer.concat([Buffer.from([0, 0, 0, 0]), writer.bytes.subarray(0, writer.length)]);
  t.deepEqual(parseMonitorMessage(0x0a00 | MSG.NEWGEN, 4711, payload), { kind: 'generation', generation: 12, portId: 4711, pid: 4711, process: 'nft' });
});

test('a conntrack tuple is read as it was written', (t) => {
  for (const entry of [
    { family: 'ip', protocol: 6, zone: 0, original: { src: '10.0.0.1', dst: '10.96.0.10', srcPort: 40000, dstPort: 80 } },
    { family: 'ip6', protocol: 17, zone: 3, original: { src: 'fd00::1', dst: 'fd00::2', srcPort: 1, dstPort: 53 } },
    { family: 'ip', protocol: 1, zone: 0, original: { src: '10.0.0.1', dst: '10.0.0.2', icmp: { id: 5, type: 8, code: 0 } } },
  ] as const) {
    const writer = new MessageWriter();
    writeConntrackTuple(writer, entry);
    const payload = Buffer.concat([Buffer.from([entry.family === 'ip' ? 2 : 10, 0, 0, 0]), writer.bytes.subarray(0, writer.length)]);
    t.like(parseConntrack(payload), entry);
  }
});

test('nft\'s messages become errors with code and line', (t) => {
  t.like(parseNftFailure('nft -f -', '/dev/stdin:3:5-9: Error: syntax error, unexpected ip\nadd chan\n    ^^^^\n'), { code: 'SYNTAX', line: 3 });
  t.like(parseNftFailure('nft -f -', '/dev/stdin:2:1-5: Error: Could not process rule: File exists\n'), { code: 'EEXIST', line: 2 });
  t.like(parseNftFailure('nft -f -', 'netlink: Error: cache initialization failed: Operation not permitted\n'), { code: 'EPERM' });
  t.is(parseNftFailure('nft -f -', '').message, 'nft -f -: SYNTAX');
});
