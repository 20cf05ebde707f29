// One contract, two implementations: the kernel (in a namespace of this process) and the fake. A small table, and `each` to test both.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { FakeNft, KernelNft, defineMap, defineSet } from '../index.ts';
import type { Nft } from '../index.ts';

unshareNetns();

export const table = { family: 'ip', name: 'contract' } as const;
export const service = defineMap(table, 'service', ['ipv4_addr', 'inet_proto', 'inet_service'], ['mark']);
export const slot = defineMap(table, 'slot', ['mark', 'mark'], ['mark']);
export const endpoint = defineMap(table, 'endpoint', ['mark'], ['ipv4_addr', 'inet_service']);
export const pickers = defineMap(table, 'pickers', ['mark'], 'verdict');
export const podNet = defineSet(table, 'pod-net', ['ipv4_addr'], { interval: true });
export const affinity = defineMap(table, 'affinity', ['ipv4_addr', 'mark'], ['mark']);

const RULESET = `
add table ip contract
delete table ip contract
table ip contract {
  map service  { type ipv4_addr . inet_proto . inet_service : mark; }
  map slot     { typeof ct mark . numgen random mod 2 : ct mark; }  # any modulus
  map endpoint { type mark : ipv4_addr . inet_service; counter; }
  map pickers  { type mark : verdict; elements = { 0x1 : jump lb-1 }; }
  map affinity { type ipv4_addr . mark : mark; size 1024; flags dynamic,timeout; timeout 3h; }
  set pod-net  { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
  chain lb-1 { ct mark set ct mark . numgen random mod 1 map @slot; }
}
`;

export interface Subject {
  readonly nft: Nft;
  readonly other: Nft;
  readonly close: () => void;
}

const subjects: Readonly<Record<string, () => Subject>> = {
  kernel() {
    const nft = KernelNft.open();
    const other = KernelNft.open();
    return { nft, other, close: () => { nft.close(); other.close(); } };
  },
  fake() {
    const nft = new FakeNft();
    return { nft, other: nft.peer(), close: () => undefined };
  },
};

/** A test of both, each with a table of its own and somebody else's handle on the same ruleset. */
export function each(title: string, run: (t: ExecutionContext, subject: Subject) => Promise<void>): void {
  for (const [name, open] of Object.entries(subjects)) {
    test.serial(`${name}: ${title}`, async (t) => {
      const subject = open();
      t.teardown(subject.close);
      await subject.nft.loadRuleset(RULESET);
      await run(t, subject);
    });
  }
}
