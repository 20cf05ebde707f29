import { currentNetns, isNetlinkError, openRoute } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { CniError, cniCode } from '../protocol/errors.ts';

/** A socket into the container's namespace; a `CniError` that says why the path is no usable one. */
export function openContainer(netns: string): NetlinkSocket {
  if (netns === '') throw new CniError(cniCode.invalidEnvironment, 'CNI_NETNS: empty; the path of the container\'s network namespace is needed');
  try {
    if (currentNetns(netns) !== currentNetns()) return openRoute({ netns });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new CniError(cniCode.unknownContainer, `CNI_NETNS: "${netns}" does not exist; the container is gone`, { cause: error });
    if (isNetlinkError(error, 'EINVAL')) throw new CniError(cniCode.invalidEnvironment, `CNI_NETNS: "${netns}" is not a network namespace`, { cause: error });
    throw new CniError(cniCode.invalidEnvironment, `CNI_NETNS: "${netns}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  throw new CniError(cniCode.invalidEnvironment, `CNI_NETNS: "${netns}" is the host's own network namespace`);
}

/** The same for DEL, to which a namespace that is gone is as good as one with nothing in it. */
export function openContainerIfThere(netns: string): NetlinkSocket | undefined {
  try {
    return openContainer(netns);
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}
