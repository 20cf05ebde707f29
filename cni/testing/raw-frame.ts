// Ethernet frames as somebody writes them, for tests of what lets them through.
import { deviceIndex, openRoute, parseMac, withNetns } from '@podwire/netlink';
import koffi from 'koffi';

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number;
const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, unsigned int)') as (fd: number, bytes: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: number) => number;
const close = libc.func('int close(int)') as (fd: number) => number;

const AF_PACKET = 17;
const SOCK_RAW = 3;
/** IEEE's number for experiments at home: nobody answers it. */
const EXPERIMENTAL = 0x88b5;

/** Sends a broadcast frame from `dev` in the namespace, with this source address whatever that of the device is. */
export function sendFrame(netns: string, dev: string, source: string): void {
  using rt = openRoute({ netns });
  const frame = Buffer.alloc(60);
  frame.fill(0xff, 0, 6);
  frame.set(parseMac(source), 6);
  frame.writeUInt16BE(EXPERIMENTAL, 12);
  const to = Buffer.alloc(20); // struct sockaddr_ll
  to.writeUInt16LE(AF_PACKET, 0);
  to.writeInt32LE(deviceIndex(rt, dev), 4);
  const fd = withNetns(netns, () => socket(AF_PACKET, SOCK_RAW, 0));
  try {
    if (sendto(fd, frame, frame.length, 0, to, to.length) !== frame.length) throw new Error(`raw frame on ${dev}: errno ${koffi.errno()}`);
  } finally {
    close(fd);
  }
}
