// The kernel settings that kube-proxy sets, in the namespace that is current when called. A value of 0 leaves one alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { ProxyConfig } from '../config/types.ts';

/** sysctl -w NAME=VALUE for each; returns what was changed, throws naming the setting that could not be. */
export function applySysctls(config: ProxyConfig, root = '/proc/sys/net'): string[] {
  const { conntrack } = config;
  const max = Math.max(conntrack.min, conntrack.maxPerCore * availableParallelism());
  const wanted: (readonly [string, number])[] = [
    ['ipv4/ip_forward', 1],
    ['netfilter/nf_conntrack_acct', config.trafficAccounting ? 1 : 0],
    ['netfilter/nf_conntrack_max', conntrack.maxPerCore === 0 ? 0 : max],
    ['netfilter/nf_conntrack_tcp_timeout_established', conntrack.tcpEstablishedTimeoutSeconds],
    ['netfilter/nf_conntrack_tcp_timeout_close_wait', conntrack.tcpCloseWaitTimeoutSeconds],
    ['netfilter/nf_conntrack_tcp_be_liberal', conntrack.tcpBeLiberal ? 1 : 0],
    ['netfilter/nf_conntrack_udp_timeout', conntrack.udpTimeoutSeconds],
    ['netfilter/nf_conntrack_udp_timeout_stream', conntrack.udpStreamTimeoutSeconds],
  ];
  const changed: string[] = [];
  for (const [name, value] of wanted) {
    if (value === 0) continue;
    const path = `${root}/${name}`;
    try {
      if (readFileSync(path, 'utf8').trim() === String(value)) continue;
      writeFileSync(path, String(value));
      changed.push(`net.${name.replaceAll('/', '.')}=${value}`);
    } catch (error) {
      throw new Error(`net.${name.replaceAll('/', '.')}=${value}: ${error instanceof Error ? error.message : String(error)}; run as root in the node's network namespace`, { cause: error });
    }
  }
  return changed;
}
