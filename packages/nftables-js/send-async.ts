import koffi from 'koffi';
import { errnoName } from '@podwire/netlink';
import { NftError } from './errors.ts';

const libc = koffi.load(null);
const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, unsigned int)');

const KERNEL = Buffer.alloc(12);
KERNEL.writeUInt16LE(16, 0); // AF_NETLINK; port 0 is the kernel

/**
 * sendto(2) on a pool thread: the kernel works through a batch inside this call, about 3 us per element, and a load of
 * 300,000 must not stop Node for a second. The socket's namespace counts, not the thread's.
 */
export async function sendInThreadPool(fd: number, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  (sendto as unknown as { async(...values: unknown[]): void }).async(fd, bytes, bytes.length, 0, KERNEL, KERNEL.length, (error: Error | null, sent: number | bigint) => {
    if (error !== null) reject(error);
    else if (Number(sent) === bytes.length) resolve(undefined);
    else {
      const errno = koffi.errno();
      const code = errnoName(errno);
      reject(new NftError('nft transaction', code, `a batch of ${bytes.length} bytes was not taken`));
    }
  });
  await promise;
}
