// Datagrams between two namespaces of one process, synchronously: sent in one, received in the other. For tests; `ping` is not on every machine.
import koffi from 'koffi';
import { formatIp, parseIp, withNetns } from '@podwire/netlink';

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number;
const bind = libc.func('int bind(int, const void *, unsigned int)') as (fd: number, address: Uint8Array, length: number) => number;
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, unsigned int)') as (fd: number, level: number, option: number, value: Uint8Array, length: number) => number;
const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, unsigned int)') as (fd: number, bytes: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: number) => number;
const recvfrom = libc.func('long recvfrom(int, void *, size_t, int, void *, void *)') as (fd: number, buffer: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: Uint32Array) => number;
const close = libc.func('int close(int)') as (fd: number) => number;

const PORT = 9999;
const EMSGSIZE = 90;

/** struct sockaddr_in or sockaddr_in6 */
function sockaddr(ip: string, port: number): Buffer {
  const address = parseIp(ip);
  const bytes = Buffer.alloc(address.length === 4 ? 16 : 28);
  bytes.writeUInt16LE(address.length === 4 ? 2 : 10, 0);
  bytes.writeUInt16BE(port, 2);
  address.copy(bytes, address.length === 4 ? 4 : 8);
  return bytes;
}

const u32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value); return bytes; };

export type Arrival = 'arrived' | 'too big' | 'lost';

/** A one-way path from one namespace to an address in another. Never fragments: DF is set. */
export class UdpPath implements Disposable {
  readonly #sender: number;
  readonly #receiver: number;
  readonly #to: Buffer;
  readonly #headers: number;
  readonly #from = Buffer.alloc(28);

  constructor(from: string, to: string, ip: string) {
    const isV4 = !ip.includes(':');
    this.#headers = isV4 ? 28 : 48;
    this.#to = sockaddr(ip, PORT);
    const open = (): number => socket(isV4 ? 2 : 10, 2, 0);
    this.#sender = withNetns(from, open);
    setsockopt(this.#sender, isV4 ? 0 : 41, isV4 ? 10 : 23, u32(2), 4); // IP_MTU_DISCOVER, DO
    this.#receiver = withNetns(to, open);
    const wait = Buffer.alloc(16);
    wait.writeBigInt64LE(1n, 0);
    setsockopt(this.#receiver, 1, 20, wait, 16); // SO_RCVTIMEO
    if (bind(this.#receiver, this.#to, this.#to.length) !== 0) throw new Error(`udp probe: bind ${ip}: errno ${koffi.errno()}`);
  }

  /** Sends a packet of `bytes` bytes, IP header included, and waits up to a second for it. */
  send(bytes = 100): Arrival {
    const payload = Buffer.alloc(bytes - this.#headers);
    if (sendto(this.#sender, payload, payload.length, 0, this.#to, this.#to.length) < 0) return koffi.errno() === EMSGSIZE ? 'too big' : 'lost';
    return recvfrom(this.#receiver, Buffer.alloc(65_536), 65_536, 0, this.#from, Uint32Array.of(28)) === payload.length ? 'arrived' : 'lost';
  }

  /** Whether the path carries packets: sends up to three, for the first may be lost while neighbours look for one another on a busy machine. */
  reach(bytes?: number): Arrival {
    let arrival: Arrival = 'lost';
    for (let tries = 0; tries < 3 && arrival === 'lost'; tries++) arrival = this.send(bytes);
    return arrival;
  }

  /** The source address that the last packet had where it arrived. */
  get source(): string { return formatIp(this.#to.length === 16 ? this.#from.subarray(4, 8) : this.#from.subarray(8, 24)); }

  [Symbol.dispose](): void {
    close(this.#sender);
    close(this.#receiver);
  }
}
