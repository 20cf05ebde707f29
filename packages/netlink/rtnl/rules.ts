// Policy routing rules. Every function's doc is its command.
import { Attributes } from '../attributes.ts';
import { formatIp, parsePrefix } from '../ip-bytes.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL } from '../message.ts';
import type { NetlinkMessage } from '../message.ts';
import type { NetlinkSocket } from '../socket.ts';
import { NetlinkWriter } from '../writer.ts';
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from './constants.ts';

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FR_ACT_TO_TBL = 1;

export interface Rule {
  readonly family: 4 | 6;
  readonly priority?: number;
  readonly from?: string;
  readonly to?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly fwmark?: number;
  readonly fwmask?: number;
  readonly table: number;
}

function encode(rule: Rule): Buffer {
  const from = rule.from === undefined ? undefined : parsePrefix(rule.from);
  const to = rule.to === undefined ? undefined : parsePrefix(rule.to);
  const head = Buffer.alloc(12);
  head.writeUInt8(rule.family === 4 ? AF_INET : AF_INET6, 0);
  head.writeUInt8(to?.length ?? 0, 1);
  head.writeUInt8(from?.length ?? 0, 2);
  head.writeUInt8(rule.table < 256 ? rule.table : 0, 4);
  head.writeUInt8(FR_ACT_TO_TBL, 7);
  const writer = new NetlinkWriter();
  writer.raw(head).u32(FRA_TABLE, rule.table);
  if (to !== undefined) writer.attribute(FRA_DST, to.address);
  if (from !== undefined) writer.attribute(FRA_SRC, from.address);
  if (rule.iif !== undefined) writer.string(FRA_IIFNAME, rule.iif);
  if (rule.oif !== undefined) writer.string(FRA_OIFNAME, rule.oif);
  if (rule.priority !== undefined) writer.u32(FRA_PRIORITY, rule.priority);
  if (rule.fwmark !== undefined) writer.u32(FRA_FWMARK, rule.fwmark);
  if (rule.fwmask !== undefined) writer.u32(FRA_FWMASK, rule.fwmask);
  return writer.bytes();
}

/** `ip rule add [priority N] [from P] [to P] [iif DEV] [fwmark M/MASK] lookup TABLE`; EEXIST when it is there. */
export function addRule(rt: NetlinkSocket, rule: Rule): void {
  rt.request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, encode(rule), { operation: `ip rule add lookup ${rule.table}` });
}

/** `ip rule del ...`; ENOENT when it is not there. */
export function deleteRule(rt: NetlinkSocket, rule: Rule): void {
  rt.request(RTM_DELRULE, 0, encode(rule), { operation: `ip rule del lookup ${rule.table}` });
}

/** `ip rule show` */
export function listRules(rt: NetlinkSocket, family: 4 | 6): Rule[] {
  const head = Buffer.alloc(12);
  head.writeUInt8(family === 4 ? AF_INET : AF_INET6, 0);
  return rt.request(RTM_GETRULE, NLM_F_DUMP, head, { operation: 'ip rule show' }).map(parseRule);
}

function parseRule({ payload }: NetlinkMessage): Rule {
  const attributes = new Attributes(payload.subarray(12));
  const prefix = (attribute: number, length: number): string | undefined => {
    const bytes = attributes.bytes(attribute);
    return bytes === undefined ? undefined : `${formatIp(bytes)}/${length}`;
  };
  const values = {
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    from: prefix(FRA_SRC, payload.readUInt8(2)),
    to: prefix(FRA_DST, payload.readUInt8(1)),
    iif: attributes.string(FRA_IIFNAME),
    oif: attributes.string(FRA_OIFNAME),
    fwmark: attributes.u32(FRA_FWMARK),
    fwmask: attributes.u32(FRA_FWMASK),
  };
  return {
    family: payload.readUInt8(0) === AF_INET ? 4 : 6,
    table: attributes.u32(FRA_TABLE) ?? payload.readUInt8(4),
    ...(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Rule>),
  };
}
