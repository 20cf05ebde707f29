// The one thing that a trace adds to a namespace: a table of its own whose only rule marks the probe's packets, so that the kernel
// reports each rule they meet. It is removed when the trace ends; a trace that was killed leaves a table that the next one replaces.
import { run } from '../../processes/run.ts';

const tableName = 'podwire-trace';

/** `nft ARGS` inside the namespace. Throws a CommandError with what nft says. */
export function nftInside(netns: string | undefined, args: readonly string[]): Promise<string> {
  return run(netns === undefined ? ['/usr/sbin/nft', ...args] : ['/usr/bin/nsenter', `--net=${netns}`, '--', '/usr/sbin/nft', ...args]);
}

/** Which packets to mark: protocol and port, in both directions; addresses change on the way. */
export interface Mark {
  readonly family: 'ip' | 'ip6';
  readonly protocol: 'tcp' | 'udp';
  /** Ports that the probe's packets may carry on either side: the asked one and those of the endpoints. */
  readonly ports: readonly number[];
}

/** The rate limit keeps the kernel's report complete when other traffic uses the same ports. */
function markRules({ protocol, ports }: Mark): readonly string[] {
  const set = `{ ${[...new Set(ports)].join(', ')} }`;
  return [`${protocol} dport ${set} limit rate 200/second burst 50 packets meta nftrace set 1`, `${protocol} sport ${set} limit rate 200/second burst 50 packets meta nftrace set 1`];
}

/** `nft add table FAMILY podwire-trace ...` */
export async function markProbe(netns: string | undefined, mark: Mark): Promise<void> {
  const table = `${mark.family} ${tableName}`;
  const chain = (hook: string): string => `chain ${hook} { type filter hook ${hook} priority -350; ${markRules(mark).join('; ')}; }`;
  await nftInside(netns, [`add table ${table}; delete table ${table}; table ${table} { ${chain('prerouting')}; ${chain('output')}; }`]);
}

/** `nft delete table FAMILY podwire-trace`, there or not. */
export async function unmarkProbe(netns: string | undefined, family: Mark['family']): Promise<void> {
  await nftInside(netns, [`add table ${family} ${tableName}; delete table ${family} ${tableName}`]);
}
