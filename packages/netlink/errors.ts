import { errnoName } from './libc.ts';

const texts: Readonly<Record<string, string>> = {
  EPERM: 'operation not permitted (CAP_NET_ADMIN is needed)', EACCES: 'permission denied', ENOENT: 'no such object', EEXIST: 'exists already', EBUSY: 'busy', ENODEV: 'no such device',
  EINVAL: 'invalid argument', ENETUNREACH: 'network is unreachable', EHOSTUNREACH: 'no route to host', ESRCH: 'no such entry', EADDRNOTAVAIL: 'address not available', EOPNOTSUPP: 'not supported by this kernel',
  ENOBUFS: 'receive buffer overrun, messages were lost', EAFNOSUPPORT: 'address family not supported', ETIMEDOUT: 'the kernel did not answer in time', EMSGSIZE: 'message too long', ERANGE: 'out of range',
};

export interface NetlinkErrorDetail {
  /** What the kernel said in its extended ack, or ''. */
  readonly kernelText?: string;
  /** Byte offset of the offending attribute in the request, when the kernel named one. */
  readonly offset?: number;
  /** The attribute type that the kernel missed, when it named one. */
  readonly missing?: number;
  readonly cause?: unknown;
}

/** A netlink request that the kernel refused, or a system call that failed. `code` is stable, the text is for people. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** 'EEXIST', 'ENOENT', ... */
  readonly code: string;
  /** Positive errno. */
  readonly errno: number;
  /** What was attempted, in the words of its command: 'ip link add br0 type bridge'. */
  readonly operation: string;
  readonly kernelText: string;
  readonly offset: number | undefined;
  readonly missing: number | undefined;

  constructor(operation: string, errno: number, detail: NetlinkErrorDetail = {}) {
    const code = errnoName(errno);
    const kernelText = detail.kernelText ?? '';
    const where = [
      detail.offset === undefined ? '' : `attribute at byte ${detail.offset}`,
      detail.missing === undefined ? '' : `attribute type ${detail.missing} missing`,
    ].filter((part) => part !== '').join(', ');
    super(`${operation}: ${code} ${kernelText === '' ? (texts[code] ?? '') : kernelText}${where === '' ? '' : ` (${where})`}`.trimEnd(), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.errno = errno;
    this.operation = operation;
    this.kernelText = kernelText;
    this.offset = detail.offset;
    this.missing = detail.missing;
  }
}

/** True when `error` is a NetlinkError with one of `codes`: the way callers say "already gone is fine". */
export const isNetlinkError = (error: unknown, ...codes: readonly string[]): error is NetlinkError =>
  error instanceof NetlinkError && (codes.length === 0 || codes.includes(error.code));

// The same on all of Linux's 64-bit platforms; Node's own table has eighty and is made when it is first read.
export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const EMSGSIZE = 90;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
