import { Attributes, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NetlinkWriter } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { bitsOf, lastOf, networkOf, toBytes } from '../ipam/address.ts';
import type { Cidr } from '../ipam/address.ts';
import { TCA_KIND, TCA_OPTIONS, TC_H_ROOT, header } from './traffic-control.ts';
import type { TokenBucket } from './traffic-control.ts';

/** A rate that holds for some networks only: HTB sorts by u32 filters into a class with a limit and one without. linux/pkt_sched.h, pkt_cls.h. */

const RTM_NEWQDISC = 36;
const RTM_NEWTCLASS = 40;
const RTM_GETTCLASS = 42;
const RTM_NEWTFILTER = 44;
const TCA_HTB_PARMS = 1;
const TCA_HTB_INIT = 2;
const TCA_HTB_RATE64 = 6;
const TCA_HTB_CEIL64 = 7;
const TCA_U32_CLASSID = 1;
const TCA_U32_SEL = 5;
const root = 0x1_0000;
/** The classes 1:1 and 1:30 (hexadecimal, as tc prints them), which the reference plugin has too. */
const unshaped = root | 1;
const shaped = root | 0x30;
const unlimited = 100_000_000_000n;
/** The kernel counts time in ticks of 64 ns here. */
const tickNs = 64n;
const largest32 = 0xffff_ffffn;

export interface SubnetShaping {
  readonly subnets: readonly Cidr[];
  /** Whether the limit holds for these networks, or for all others. */
  readonly isShaped: boolean;
  /** Which address of a packet lies in them: that of the other end. */
  readonly side: 'source' | 'destination';
}

/** tc qdisc replace dev DEV root handle 1: htb default CLASS; two classes; one u32 filter for each subnet */
export function replaceClasses(rt: NetlinkSocket, index: number, bucket: TokenBucket, { subnets, isShaped, side }: SubnetShaping): void {
  const glob = Buffer.alloc(20); // struct tc_htb_glob
  glob.writeUInt32LE(3, 0);
  glob.writeUInt32LE(10, 4);
  glob.writeUInt32LE((isShaped ? unshaped : shaped) & 0xffff, 8);
  const qdisc = new NetlinkWriter();
  qdisc.raw(header(index, root, TC_H_ROOT)).string(TCA_KIND, 'htb').nested(TCA_OPTIONS, (options) => options.attribute(TCA_HTB_INIT, glob));
  rt.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, qdisc.bytes(), { operation: `tc qdisc replace dev ${index} root htb` });
  addClass(rt, index, unshaped, unlimited, 0);
  addClass(rt, index, shaped, bucket.rateBytesPerSecond, bucket.burstBytes);
  for (const subnet of subnets) addFilter(rt, index, subnet, side, isShaped ? shaped : unshaped);
}

/** tc class add dev DEV parent 1: classid CLASS htb rate RATE ceil RATE burst BURST */
function addClass(rt: NetlinkSocket, index: number, handle: number, rate: bigint, burstBytes: number): void {
  const ticks = rate === 0n ? 0n : (BigInt(burstBytes) * 1_000_000_000n) / rate / tickNs;
  const burst = Number(ticks > largest32 ? largest32 : ticks);
  const options = Buffer.alloc(44); // struct tc_htb_opt
  for (const at of [0, 12]) { // rate and ceil: struct tc_ratespec
    options.writeUInt8(1, at + 1); // linklayer ethernet: no rate table needed
    options.writeUInt32LE(Number(rate > largest32 ? largest32 : rate), at + 8);
  }
  options.writeUInt32LE(burst, 24);
  options.writeUInt32LE(burst, 28);
  // How much a class may send in one turn; with one class at work at a time it decides nothing, and a guess of the kernel's would warn.
  options.writeUInt32LE(60_000, 32);
  const writer = new NetlinkWriter();
  writer.raw(header(index, handle, root)).string(TCA_KIND, 'htb');
  writer.nested(TCA_OPTIONS, (nest) => {
    nest.attribute(TCA_HTB_PARMS, options);
    if (rate > largest32) nest.u64(TCA_HTB_RATE64, rate).u64(TCA_HTB_CEIL64, rate);
  });
  rt.request(RTM_NEWTCLASS, NLM_F_CREATE | NLM_F_EXCL, writer.bytes(), { operation: `tc class add dev ${index} classid ${handle.toString(16)} htb` });
}

/** tc filter add dev DEV parent 1: protocol ip u32 match ip dst SUBNET flowid CLASS */
function addFilter(rt: NetlinkSocket, index: number, subnet: Cidr, side: SubnetShaping['side'], flow: number): void {
  const isV4 = subnet.family === 4;
  const [priority, protocol] = isV4 ? [16, 0x0800] : [15, 0x86dd];
  const info = ((priority << 16) | ((protocol & 0xff) << 8) | (protocol >> 8)) >>> 0;
  const writer = new NetlinkWriter();
  writer.raw(header(index, 0, root, info)).string(TCA_KIND, 'u32');
  writer.nested(TCA_OPTIONS, (options) => options.u32(TCA_U32_CLASSID, flow).attribute(TCA_U32_SEL, selectorOf(subnet, side)));
  rt.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, writer.bytes(), { operation: `tc filter add dev ${index} u32 match ${side}` });
}

/** struct tc_u32_sel: words of the packet, counted from the network header, under a mask. Exported for its test. */
export function selectorOf(subnet: Cidr, side: SubnetShaping['side']): Buffer {
  const { family } = subnet;
  const first = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } }[family][side];
  const value = Buffer.from(toBytes({ family, value: networkOf(subnet) }));
  const mask = Buffer.from(toBytes({ family, value: (lastOf(subnet) ^ networkOf(subnet)) ^ ((1n << BigInt(bitsOf(family))) - 1n) }));
  const words = Array.from({ length: value.length / 4 }, (_, word) => word * 4).filter((at, word) => word === 0 || mask.readUInt32BE(at) !== 0);
  const selector = Buffer.alloc(16 + 16 * words.length);
  selector.writeUInt8(1, 0); // TC_U32_TERMINAL
  selector.writeUInt8(words.length, 2);
  words.forEach((at, word) => {
    mask.copy(selector, 16 + word * 16, at, at + 4);
    value.copy(selector, 20 + word * 16, at, at + 4);
    selector.writeInt32LE(first + at, 24 + word * 16);
  });
  return selector;
}

/** tc class show dev DEV: the rate of the class with the limit in bytes per second; undefined when there is none. */
export function shapedClassRate(rt: NetlinkSocket, index: number): bigint | undefined {
  for (const { payload } of rt.request(RTM_GETTCLASS, NLM_F_DUMP, header(index, 0, 0), { operation: 'tc class show' })) {
    if (payload.readInt32LE(4) !== index || payload.readUInt32LE(8) !== shaped) continue;
    const options = new Attributes(payload.subarray(20)).nested(TCA_OPTIONS);
    return options?.u64(TCA_HTB_RATE64) ?? BigInt(options?.bytes(TCA_HTB_PARMS)?.readUInt32LE(8) ?? 0);
  }
  return undefined;
}
