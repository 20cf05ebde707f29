// The few libc calls that Node has no API for, through koffi. Every call here is synchronous and acts on the calling
// thread: that is what makes `setns` there-and-back safe, and what makes a netlink round trip cost microseconds.
import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load(null);
// The type says what the definition says: koffi itself returns `any`.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
const func = <F>(definition: string): F => libc.func(definition) as F;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_RCVTIMEO = 20;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const POLLIN = 1;
export const CLONE_NEWNET = 0x40000000;
export const MS_BIND = 0x1000;
export const MS_REC = 0x4000;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

export const socket = func<(domain: number, type: number, protocol: number) => number>('int socket(int, int, int)');
export const bind = func<(fd: number, address: Uint8Array, length: number) => number>('int bind(int, const void *, unsigned int)');
export const getsockname = func<(fd: number, address: Uint8Array, length: Uint32Array) => number>('int getsockname(int, void *, void *)');
export const setsockopt = func<(fd: number, level: number, option: number, value: Uint8Array | Int32Array | BigInt64Array, length: number) => number>('int setsockopt(int, int, int, const void *, unsigned int)');
export const sendto = func<(fd: number, bytes: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: number) => number>('long sendto(int, const void *, size_t, int, const void *, unsigned int)');
export const recv = func<(fd: number, buffer: Uint8Array, length: number, flags: number) => number>('long recv(int, void *, size_t, int)');
export const poll = func<(fds: Uint8Array, count: number, timeoutMs: number) => number>('int poll(void *, unsigned long, int)');
export const close = func<(fd: number) => number>('int close(int)');
export const eventfd = func<(initial: number, flags: number) => number>('int eventfd(unsigned int, int)');
export const read = func<(fd: number, buffer: Uint8Array | BigUint64Array, length: number) => number>('long read(int, void *, size_t)');
export const write = func<(fd: number, bytes: Uint8Array | BigUint64Array, length: number) => number>('long write(int, const void *, size_t)');
export const setns = func<(fd: number, type: number) => number>('int setns(int, int)');
export const unshare = func<(flags: number) => number>('int unshare(int)');
export const mount = func<(source: string, target: string, type: string, flags: number, data: null) => number>('int mount(const char *, const char *, const char *, unsigned long, const void *)');
export const umount2 = func<(target: string, flags: number) => number>('int umount2(const char *, int)');
export const ifNameToIndex = func<(name: string) => number>('unsigned int if_nametoindex(const char *)');

/** struct sock_filter */
export interface BpfInstruction { readonly code: number; readonly jt: number; readonly jf: number; readonly k: number }
const SO_ATTACH_FILTER = 26;
koffi.struct('sock_fprog', { len: 'uint16_t', filter: 'void *' });
const setProgram = func<(fd: number, level: number, option: number, program: { len: number; filter: Uint8Array }, length: number) => number>('int setsockopt(int, int, int, const sock_fprog *, unsigned int)');

/** setsockopt(SO_ATTACH_FILTER): a classic BPF program that decides which datagrams reach the socket. */
export function attachFilter(fd: number, program: readonly BpfInstruction[]): boolean {
  const filter = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    filter.writeUInt16LE(code, index * 8);
    filter.writeUInt8(jt, index * 8 + 2);
    filter.writeUInt8(jf, index * 8 + 3);
    filter.writeUInt32LE(k, index * 8 + 4);
  });
  return setProgram(fd, SOL_SOCKET, SO_ATTACH_FILTER, { len: program.length, filter }, 16) === 0;
}

/** The errno that the last call on this thread left behind. */
export const lastErrno = (): number => koffi.errno();

/** What callers ask for and expect to be told. */
const usual = new Map([[2, 'ENOENT'], [17, 'EEXIST'], [19, 'ENODEV']]);
/** 17 -> 'EEXIST'; numbers that Node does not name keep their number ('E524'). */
export const errnoName = (errno: number): string => usual.get(errno) ?? Object.entries(constants.errno).findLast(([, value]) => value === errno)?.[0] ?? `E${errno}`;
