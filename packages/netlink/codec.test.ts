import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import test from 'ava';
import { Attributes, eachAttribute } from './attributes.ts';
import { NetlinkError, isNetlinkError } from './errors.ts';
import { formatIp, formatMac, parseIp, parseMac, parsePrefix } from './ip-bytes.ts';
import { NLMSG_ERROR, NLM_F_ACK_TLVS, NLM_F_CAPPED, parseAck, parseMessages } from './message.ts';
import { NetlinkWriter } from './writer.ts';

test('attributes come back as they were written, padded to four bytes', (t) => {
  const writer = new NetlinkWriter(16);
  writer.u8(1, 7).u16(2, 0x1234).u32(3, 0xfffffffe).u64(4, 2n ** 63n).be16(5, 8472).be32(6, 0x0a000001).string(7, 'eth0').flag(8).i32(9, -5).attribute(10, Buffer.from([1, 2, 3])).be64(11, 5n);
  writer.nested(12, (inner) => { inner.string(1, 'bridge').nested(2, (data) => { data.u32(1, 99); }); });
  t.is(writer.length % 4, 0);
  const read = new Attributes(writer.bytes());
  t.deepEqual([read.u8(1), read.u16(2), read.u32(3), read.u64(4), read.be16(5), read.be32(6), read.string(7), read.has(8), read.i32(9), read.be64(11)], [7, 0x1234, 0xfffffffe, 2n ** 63n, 8472, 0x0a000001, 'eth0', true, -5, 5n]);
  t.deepEqual([...read.bytes(10)!], [1, 2, 3]);
  t.is(read.nested(12)?.string(1), 'bridge');
  t.is(read.nested(12)?.nested(2)?.u32(1), 99);
  t.is(read.u32(77), undefined);
});

test('any list of attributes survives the way there and back', (t) => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 300 }))), (list) => {
    const writer = new NetlinkWriter(4);
    for (const [type, value] of list) writer.attribute(type, value);
    t.deepEqual([...eachAttribute(writer.bytes())].map(({ type, value }) => [type, [...value]]), list.map(([type, value]) => [type, [...value]]));
  }));
});

test('a message is split off its neighbours and an attribute list cut short is refused', (t) => {
  const writer = new NetlinkWriter();
  for (const seq of [1, 2]) {
    const mark = writer.beginMessage(16, 5, seq);
    writer.string(3, 'lo').endMessage(mark);
  }
  t.deepEqual(parseMessages(writer.bytes()).map(({ type, flags, seq, payload }) => [type, flags, seq, new Attributes(payload).string(3)]), [[16, 5, 1, 'lo'], [16, 5, 2, 'lo']]);
  t.throws(() => parseMessages(writer.bytes().subarray(0, 44)), { message: 'netlink message at byte 24 says it is 24 bytes long; 20 are there' });
  t.throws(() => new Attributes(Buffer.from([12, 0, 1, 0, 0, 0])), { message: 'netlink attribute at byte 0 says it is 12 bytes long; 6 are there' });
});

test('an attribute beyond 64 KiB is refused, alone and as the sum of a nest', (t) => {
  const writer = new NetlinkWriter();
  t.throws(() => writer.attribute(1, Buffer.alloc(65_532)), { message: /split the list/ });
  t.notThrows(() => new NetlinkWriter().attribute(1, Buffer.alloc(65_531)));
  t.throws(() => writer.nested(1, (inner) => { for (let n = 0; n < 20_000; n += 1) inner.u32(1, n); }), { message: /split the list/ });
});

test('a writer that is reset leaves nothing of its former life in the padding', (t) => {
  const writer = new NetlinkWriter();
  writer.attribute(1, Buffer.alloc(32, 0xff)).reset().attribute(1, Buffer.from([1]));
  t.deepEqual([...writer.bytes()], [5, 0, 1, 0, 1, 0, 0, 0]);
});

test('an extended ack gives code, text and offset', (t) => {
  const body = new NetlinkWriter();
  const error = Buffer.alloc(20);
  error.writeInt32LE(-17, 0);
  error.writeUInt32LE(16, 4);
  error.writeUInt16LE(24, 8);
  body.raw(error).string(1, 'Nexthop has invalid gateway').u32(2, 36).u32(5, 4);
  const ack = parseAck({ type: NLMSG_ERROR, flags: NLM_F_CAPPED | NLM_F_ACK_TLVS, seq: 3, portId: 1, payload: body.bytes() });
  t.deepEqual(ack, { seq: 3, errno: 17, requestType: 24, kernelText: 'Nexthop has invalid gateway', offset: 36, missing: 4 });
  const thrown = new NetlinkError('ip route add x', ack.errno, ack);
  t.is(thrown.message, 'ip route add x: EEXIST Nexthop has invalid gateway (attribute at byte 36, attribute type 4 missing)');
  t.true(isNetlinkError(thrown, 'ENOENT', 'EEXIST'));
  t.false(isNetlinkError(thrown, 'ENOENT'));
});

for (const [text, canonical] of [['10.0.0.1', '10.0.0.1'], ['::', '::'], ['::1', '::1'], ['FD00:0:0:1::', 'fd00:0:0:1::'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['::ffff:1.2.3.4', '::ffff:102:304'], ['1:0:0:2:0:0:0:3', '1:0:0:2::3']] as const) {
  test(`${text} is ${canonical} to the kernel and back`, (t) => { t.is(formatIp(parseIp(text)), canonical); });
}

test('every IPv6 address survives the way there and back', (t) => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
    const text = formatIp(bytes);
    t.true(isIPv6(text));
    t.deepEqual([...parseIp(text)], [...bytes]);
  }));
});

test('what is no address, prefix or MAC is refused by name', (t) => {
  for (const bad of ['', '10.0.0', '10.0.0.256', 'fd00::g', '10.0.0.1/24']) t.throws(() => parseIp(bad), { message: `'${bad}' is not an IP address` });
  for (const bad of ['10.0.0.0/33', '10.0.0.0/', 'fd00::/129', '10.0.0.0/x']) t.throws(() => parsePrefix(bad), { message: new RegExp(`'${bad}': the prefix length must lie between 0 and`) });
  for (const bad of ['', '02:00:00:00:00', 'zz:00:00:00:00:00']) t.throws(() => parseMac(bad), { message: /is not a MAC address/ });
  t.is(formatMac(parseMac('02:AB:00:00:00:01')), '02:ab:00:00:00:01');
});
