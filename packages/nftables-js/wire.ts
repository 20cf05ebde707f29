// Numbers of the kernel's own headers: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.

export const NETLINK_NETFILTER = 12;
export const NLMSG_HEADER = 16;
/** nlmsghdr + nfgenmsg. */
export const NFNL_HEADER = 20;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const BATCH_BEGIN = 0x10;
export const BATCH_END = 0x11;

export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

/** Netfilter subsystems, in the high byte of a message type. */
export const SUBSYS_CTNETLINK = 1 << 8;
export const SUBSYS_NFTABLES = 10 << 8;

export const MSG = {
  NEWTABLE: 0, GETTABLE: 1, DELTABLE: 2, NEWCHAIN: 3, GETCHAIN: 4, DELCHAIN: 5, NEWRULE: 6, GETRULE: 7, DELRULE: 8,
  NEWSET: 9, GETSET: 10, DELSET: 11, NEWSETELEM: 12, GETSETELEM: 13, DELSETELEM: 14, NEWGEN: 15, GETGEN: 16, TRACE: 17,
  NEWOBJ: 18, GETOBJ: 19, DELOBJ: 20, NEWFLOWTABLE: 22, DELFLOWTABLE: 24,
} as const;

export const GROUP_CONNTRACK_NEW = 1;
export const GROUP_CONNTRACK_UPDATE = 2;
export const GROUP_CONNTRACK_DESTROY = 3;
export const GROUP_NFTABLES = 7;
export const GROUP_NFTRACE = 9;

export const FAMILY = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;
export type Family = keyof typeof FAMILY;

const FAMILY_NAMES = new Map<number, Family>(Object.entries(FAMILY).map(([name, number]) => [number, name as Family]));
export function familyName(number: number): Family | 'unspec' {
  return FAMILY_NAMES.get(number) ?? 'unspec';
}

/** enum nft_set_flags */
export const SET_FLAG = { anonymous: 0x1, constant: 0x2, interval: 0x4, map: 0x8, timeout: 0x10, dynamic: 0x20, object: 0x40, concat: 0x80 } as const;

/** enum nft_verdicts and the netfilter verdicts below them. */
export const VERDICT = { continue: -1, break: -2, jump: -3, goto: -4, return: -5, drop: 0, accept: 1, queue: 3, repeat: 4 } as const;
export type VerdictName = keyof typeof VERDICT;

export function verdictName(code: number): VerdictName | 'unknown' {
  const low = code >= 0 ? code & 0xff : code; // the queue number rides in the high half
  for (const [name, number] of Object.entries(VERDICT)) if (number === low) return name as VerdictName;
  return 'unknown';
}

export const ELEM_INTERVAL_END = 0x1;
/** One nlattr holds at most 64 KiB: 700 elements of the widest kind stay below it. */
export const MAX_ELEMENTS_PER_MESSAGE = 700;
