import { getSysctl, setSysctl } from '@podwire/netlink';
import { spawnSync } from 'node:child_process';

const keys = { 4: 'net/bridge/bridge-nf-call-iptables', 6: 'net/bridge/bridge-nf-call-ip6tables' } as const;

const consequence = 'Services between two pods of this node will not work (the reply passes the bridge without being translated back)';

/**
 * Sets bridge-nf-call-iptables=1 in this namespace, loading br_netfilter when the kernel does not know it yet. Without
 * it a pod that reaches a pod of its own node through a Service gets the answer from an address it never asked.
 */
export function ensureBridgeFilter(families: readonly (4 | 6)[], warn: (text: string) => void): void {
  for (const family of families) {
    const value = getSysctl(undefined, keys[family]);
    if (value === '1') continue;
    if (value === undefined) spawnSync('/sbin/modprobe', ['br_netfilter'], { stdio: 'ignore' });
    if (value === undefined && getSysctl(undefined, keys[family]) === undefined) warn(bridgeFilterProblem([family]) ?? '');
    else setSysctl(undefined, keys[family], '1');
  }
}

/** What is wrong, in words, or undefined. */
export function bridgeFilterProblem(families: readonly (4 | 6)[]): string | undefined {
  for (const family of families) {
    const value = getSysctl(undefined, keys[family]);
    if (value === undefined) return `${keys[family]} is missing: ${consequence}; load the module br_netfilter, or use mode ptp`;
    if (value !== '1') return `${keys[family]} is ${value}: ${consequence}; set it to 1, or use mode ptp`;
  }
  return undefined;
}
