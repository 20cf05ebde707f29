import { deleteLink, deleteLinkGroup, isNetlinkError, openRoute, setLink } from '@podwire/netlink';
import { batched } from './batch.ts';

/**
 * Deletes a link; one that is gone is fine. Deletions asked for in the same turn of the event loop become one kernel
 * operation: the kernel waits some 20 ms per deletion for readers to leave, and as long for thirty as for one.
 */
export const reapLink = batched<string>(deleteLinks);

/** `ip link del` of many at once, by way of a link group of their own. */
export function deleteLinks(names: readonly string[]): void {
  using rt = openRoute();
  const [only, ...rest] = names;
  if (only === undefined) return;
  if (rest.length === 0) {
    ignoreGone(() => deleteLink(rt, only));
    return;
  }
  const group = 0x7077_0000 | Math.floor(Math.random() * 0xffff);
  const present = names.filter((name) => ignoreGone(() => setLink(rt, name, { group })));
  if (present.length > 0) ignoreGone(() => deleteLinkGroup(rt, group));
}

/** False when the link is not there. */
function ignoreGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isNetlinkError(error, 'ENODEV')) return false;
    throw error;
  }
}
