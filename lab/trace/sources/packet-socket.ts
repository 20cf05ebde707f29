// Captures on all devices of one network namespace: an AF_PACKET socket (packet(7)), opened inside and read without blocking.
import { constants } from 'node:os';
import { withNetns } from '@podwire/netlink';
import koffi from 'koffi';

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number;
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, unsigned int)') as (fd: number, level: number, name: number, value: Int32Array, length: number) => number;
const recvfrom = libc.func('long recvfrom(int, void *, size_t, int, void *, void *)') as (fd: number, buffer: Buffer, length: number, flags: number, address: Buffer, addressLength: Uint32Array) => number;
const ioctl = libc.func('int ioctl(int, unsigned long, void *)') as (fd: number, request: number, argument: BigInt64Array) => number;
const close = libc.func('int close(int)') as (fd: number) => number;

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const ETH_P_ALL_BIG_ENDIAN = 0x0300;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SIOCGSTAMPNS = 0x8907;
const PACKET_OUTGOING = 4;
/** Enough for every header and a probe's payload; the rest of a packet says nothing. */
const snapLength = 512;
const bufferBytes = 16 << 20;

/** One sighting of a frame by one device. */
export interface Sighting {
  readonly ifindex: number;
  readonly direction: 'in' | 'out';
  /** Wall clock in nanoseconds, stamped by the kernel. */
  readonly timeNs: bigint;
  readonly frame: Buffer;
}

export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(snapLength);
  readonly #address = Buffer.alloc(20);
  readonly #stamp = new BigInt64Array(2);
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens in the namespace at `netns` (a path), or in this thread's own. Needs CAP_NET_RAW there. */
  static open(netns: string | undefined): PacketSocket {
    const fd = withNetns(netns, () => socket(AF_PACKET, SOCK_RAW_CLOEXEC, ETH_P_ALL_BIG_ENDIAN));
    if (fd < 0) throw new Error(`capture in ${netns ?? 'this namespace'}: socket(AF_PACKET) failed with errno ${koffi.errno()}; run as root`);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, Int32Array.of(bufferBytes), 4);
    const opened = new PacketSocket(fd);
    // The first call turns the kernel's time stamps on; it has no packet to speak of yet.
    ioctl(fd, SIOCGSTAMPNS, opened.#stamp);
    return opened;
  }

  /** Everything seen since the last call. */
  drain(): readonly Sighting[] {
    const seen: Sighting[] = [];
    for (;;) {
      const size = recvfrom(this.#fd, this.#buffer, snapLength, MSG_DONTWAIT, this.#address, Uint32Array.of(20));
      if (size < 0) {
        const errno = koffi.errno();
        if (errno === constants.errno.EAGAIN) return seen;
        if (errno === constants.errno.EINTR || errno === constants.errno.ENETDOWN) continue;
        throw new Error(`capture: recvfrom failed with errno ${errno}`);
      }
      ioctl(this.#fd, SIOCGSTAMPNS, this.#stamp);
      const [seconds = 0n, nanoseconds = 0n] = this.#stamp;
      // struct sockaddr_ll: family 2, protocol 2, ifindex 4, hatype 2, pkttype 1, ...
      seen.push({ ifindex: this.#address.readInt32LE(4), direction: this.#address.readUInt8(10) === PACKET_OUTGOING ? 'out' : 'in', timeNs: seconds * 1_000_000_000n + nanoseconds, frame: Buffer.from(this.#buffer.subarray(0, size)) });
    }
  }

  close(): void {
    if (this.#isOpen) close(this.#fd);
    this.#isOpen = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
