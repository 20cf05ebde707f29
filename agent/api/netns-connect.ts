// A TCP connection from inside a pod's network namespace. `net.connect` makes its socket a tick later, when the thread is home
// again; so the socket is made by hand inside, and handed to Node connected or connecting.
import net from 'node:net';
import koffi from 'koffi';
import { withNetns } from '@podwire/netlink';

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const connect = libc.func('int connect(int fd, const uint8_t *addr, uint32_t length)');
const getsockopt = libc.func('int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)');
const close = libc.func('int close(int fd)');

const sockStream = 1;
const sockNonblock = 0o4000;
const sockCloexec = 0o2000000;
const inProgress = 115;
const solSocket = 1;
const soError = 4;
const family = { 4: 2, 6: 10 } as const;

function loopback(version: 4 | 6, port: number): Buffer {
  const address = Buffer.alloc(version === 4 ? 16 : 28);
  address.writeUInt16LE(family[version], 0);
  address.writeUInt16BE(port, 2);
  if (version === 4) address.set([127, 0, 0, 1], 4);
  else address.writeUInt8(1, 23);
  return address;
}

const errors: Readonly<Record<number, string>> = { 97: 'address family not supported', 99: 'cannot assign requested address', 101: 'network is unreachable', 111: 'connection refused' };

/** An open socket, or the errno of what went wrong. */
function open(version: 4 | 6, port: number): { readonly fd: number } | { readonly errno: number } {
  const fd = socket(family[version], sockStream | sockNonblock | sockCloexec, 0) as number;
  if (fd < 0) return { errno: koffi.errno() };
  const address = loopback(version, port);
  let errno = (connect(fd, address, address.length) as number) === 0 ? 0 : koffi.errno();
  if (errno === inProgress) {
    // On the loopback the answer has come before connect returns: a refusal is already noted on the socket.
    const value = [0];
    errno = (getsockopt(fd, solSocket, soError, value, [4]) as number) === 0 ? value[0] ?? 0 : koffi.errno();
  }
  if (errno === 0) return { fd };
  close(fd);
  return { errno };
}

/** Connects to localhost:PORT in the namespace at `netns`, IPv4 first. Throws when both are refused. */
export function connectInNetns(netns: string, port: number): net.Socket {
  const problems: string[] = [];
  for (const version of [4, 6] as const) {
    const result = withNetns(netns, () => open(version, port));
    if ('fd' in result) return new net.Socket({ fd: result.fd, readable: true, writable: true, allowHalfOpen: true });
    problems.push(`IPv${version}: ${errors[result.errno] ?? `errno ${result.errno}`}`);
  }
  throw new Error(problems.join(', '));
}
