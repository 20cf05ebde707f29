import { Attributes, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NetlinkWriter } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';

/** The three objects of traffic control that bandwidth limits need. Layouts: linux/pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h. */

const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
export const TCA_KIND = 1;
export const TCA_OPTIONS = 2;
export const TC_H_ROOT = 0xffff_ffff;
const TC_H_INGRESS = 0xffff_fff1;
const ingressHandle = 0xffff_0000;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const ETH_P_ALL = 3;
const largestRate32 = 0xffff_ffffn;

export interface TokenBucket {
  readonly rateBytesPerSecond: bigint;
  readonly burstBytes: number;
  /** Bytes that may wait in the queue. */
  readonly limitBytes: number;
}

/** struct tcmsg */
export function header(index: number, handle: number, parent: number, info = 0): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(info, 16);
  return bytes;
}

/** tc qdisc replace dev DEV root tbf rate RATE burst BURST limit LIMIT */
export function replaceTokenBucket(rt: NetlinkSocket, index: number, bucket: TokenBucket): void {
  const rate32 = bucket.rateBytesPerSecond > largestRate32 ? largestRate32 : bucket.rateBytesPerSecond;
  const parms = Buffer.alloc(36);
  parms.writeUInt8(1, 1); // linklayer ethernet: no rate table needed
  parms.writeUInt32LE(Number(rate32), 8);
  parms.writeUInt32LE(bucket.limitBytes, 24);
  const writer = new NetlinkWriter();
  writer.raw(header(index, 0x10000, TC_H_ROOT)).string(TCA_KIND, 'tbf');
  writer.nested(TCA_OPTIONS, (options) => {
    options.attribute(TCA_TBF_PARMS, parms).u32(TCA_TBF_BURST, bucket.burstBytes);
    if (bucket.rateBytesPerSecond > largestRate32) options.u64(TCA_TBF_RATE64, bucket.rateBytesPerSecond);
  });
  rt.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, writer.bytes(), { operation: `tc qdisc replace dev ${index} root tbf` });
}

/** tc qdisc show dev DEV root: the rate of its token bucket in bytes per second; undefined when it has none. */
export function tokenBucketRate(rt: NetlinkSocket, index: number): bigint | undefined {
  const replies = rt.request(RTM_GETQDISC, NLM_F_DUMP, header(index, 0, 0), { operation: 'tc qdisc show' });
  for (const { payload } of replies) {
    if (payload.readInt32LE(4) !== index || payload.readUInt32LE(12) !== TC_H_ROOT) continue;
    const attributes = new Attributes(payload.subarray(20));
    if (attributes.string(TCA_KIND) !== 'tbf') continue;
    const options = attributes.nested(TCA_OPTIONS);
    return options?.u64(TCA_TBF_RATE64) ?? BigInt(options?.bytes(TCA_TBF_PARMS)?.readUInt32LE(8) ?? 0);
  }
  return undefined;
}

/** tc qdisc add dev DEV ingress; tc filter add dev DEV ingress u32 match u32 0 0 action mirred egress redirect dev IFB */
export function redirectIngress(rt: NetlinkSocket, index: number, ifbIndex: number): void {
  const qdisc = new NetlinkWriter();
  qdisc.raw(header(index, ingressHandle, TC_H_INGRESS)).string(TCA_KIND, 'ingress');
  rt.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, qdisc.bytes(), { operation: `tc qdisc add dev ${index} ingress` });

  const selector = Buffer.alloc(32); // struct tc_u32_sel with one key that matches everything
  selector.writeUInt8(1, 0); // TC_U32_TERMINAL
  selector.writeUInt8(1, 2);
  const mirred = Buffer.alloc(28);
  mirred.writeInt32LE(4, 8); // TC_ACT_STOLEN
  mirred.writeInt32LE(1, 20); // TCA_EGRESS_REDIR
  mirred.writeUInt32LE(ifbIndex, 24);
  const filter = new NetlinkWriter();
  // Priority 1 in the upper half, the protocol in network order in the lower.
  filter.raw(header(index, 0, ingressHandle, (1 << 16) | (ETH_P_ALL << 8))).string(TCA_KIND, 'u32');
  filter.nested(TCA_OPTIONS, (options) => {
    options.attribute(5, selector); // TCA_U32_SEL
    options.nested(7, (actions) => { // TCA_U32_ACT
      actions.nested(1, (action) => action.string(1, 'mirred').nested(2, (parameters) => parameters.attribute(2, mirred)));
    });
  });
  rt.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, filter.bytes(), { operation: `tc filter add dev ${index} ingress redirect` });
}
