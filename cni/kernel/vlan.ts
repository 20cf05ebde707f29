import { addLink, isNetlinkError, openRoute, unshareNetns, withNetns } from '@podwire/netlink';
import type { NetworkConfig } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';

/**
 * `vlan`, `vlanTrunk`, `preserveDefaultVlan` are not served, and what stands in the way is found out first: a kernel
 * without VLAN filtering can serve them with no plugin; on one that has it, the reference plugins do.
 */
export function refuseVlan({ vlanKeys }: NetworkConfig): void {
  const [first] = vlanKeys;
  if (first === undefined) return;
  const reason = vlanFilteringProblem() ?? 'which this kernel has, but Podwire does not set up';
  throw new CniError(cniCode.unsupportedField, `${first} needs a bridge with VLAN filtering, ${reason}; remove the key, or give each VLAN a bridge of its own`);
}

/** `ip link add probe type bridge vlan_filtering 1` in a namespace made for it, which goes with its last socket. */
function vlanFilteringProblem(): string | undefined {
  return withNetns('/proc/thread-self/ns/net', () => {
    unshareNetns();
    using rt = openRoute();
    try {
      addLink(rt, { name: 'probe', kind: 'bridge', bridge: { vlanFiltering: true } });
      return undefined;
    } catch (error) {
      if (isNetlinkError(error)) return `which this kernel does not have (${error.message}; CONFIG_BRIDGE_VLAN_FILTERING)`;
      throw error;
    }
  });
}
