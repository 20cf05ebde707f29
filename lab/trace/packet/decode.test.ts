import test from 'ava';
import fc from 'fast-check';
import { decodeFrame, packetLine } from './decode.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const ethernet = '0242ac110003 0242ac110002 0800';
const syn = `${ethernet} 4500003c1c4640004006b1e6 0af40102 0a60000a 9c40 0050 0000002a 00000000 a002 faf0 0000 0000`;

test('a SYN is read down to its sequence number', (t) => {
  const packet = decodeFrame(hex(syn));
  t.is(packetLine(packet!), '10.244.1.2:40000 > 10.96.0.10:80 tcp [SYN]');
  t.is(packet?.tcp?.sequence, 42);
  t.is(packet?.dontFragment, true);
  t.is(packet?.macs?.source, '02:42:ac:11:00:02');
});

test('the packet inside a VXLAN datagram is found, with its VNI', (t) => {
  const inner = hex(syn);
  const udpLength = (8 + 8 + inner.length).toString(16).padStart(4, '0');
  const outer = hex(`${ethernet} 4500 00${(28 + 8 + inner.length).toString(16)} 0000 0000 40 11 0000 ac1e0002 ac1e0003 c000 2118 ${udpLength} 0000 08000000 00100000`);
  const packet = decodeFrame(Buffer.concat([outer, inner]));
  t.is(packet?.vni, 4096);
  t.is(packetLine(packet!.inner!), '10.244.1.2:40000 > 10.96.0.10:80 tcp [SYN]');
});

test('an ICMP error quotes the packet it is about, and the MTU when it was too big', (t) => {
  const quoted = hex(syn).subarray(14);
  const error = Buffer.concat([hex(`${ethernet} 4500 0058 0000 0000 40 01 0000 0af40001 0af40102 03 04 0000 0000 05aa`), quoted]);
  const packet = decodeFrame(error);
  t.is(packet?.icmp?.mtu, 1450);
  t.is(packet?.icmp?.about?.destinationPort, 80);
});

test('a later fragment has no ports', (t) => {
  const packet = decodeFrame(hex(`${ethernet} 4500 0030 0001 20b9 40 11 0000 0af40102 0af40202 ffff ffff ffff ffff`));
  t.is(packet?.fragmentOffset, 1480);
  t.is(packet?.sourcePort, undefined);
});

test('no bytes at all make the decoder fail', (t) => {
  t.notThrows(() => fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    const frame = Buffer.from(bytes);
    if (frame.length > 14) frame.writeUInt16BE(frame[0]! % 2 === 0 ? 0x0800 : 0x86dd, 12);
    decodeFrame(frame);
  }), { numRuns: 2000 }));
});
