import { listAddresses } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { setTimeout as delay } from 'node:timers/promises';
import { CniError, cniCode } from '../protocol/errors.ts';

const timeoutMs = 10_000;

/** Waits until no address of the interface is tentative any more (RFC 4862, about two seconds). */
export async function settleAddresses(rt: NetlinkSocket, name: string, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const addresses = listAddresses(rt, { dev: name });
    const failed = addresses.find((each) => each.isDadFailed);
    if (failed !== undefined) throw new CniError(cniCode.addressUnavailable, `${failed.address}: another host on this link has the address (duplicate address detection)`);
    if (!addresses.some((each) => each.isTentative)) return;
    if (performance.now() > deadline) throw new CniError(cniCode.tryAgain, `${name}: addresses are still tentative after ${timeoutMs / 1000} s`);
    await delay(20, undefined, signal === undefined ? {} : { signal });
  }
}
