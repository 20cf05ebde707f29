// Session affinity over IPv6, as the kernel's own expressions. nft 1.0.6 gives a concatenated key of more than 16 bytes too few registers
// in `update` and `delete`: the data overwrites the end of the client's address, and no client is ever found again. The rules are those
// of `keeperRules` in render.ts, which serve IPv4, one for one.
import { expr } from 'nftables-js';
import type { Expression } from 'nftables-js';
import { TWIN } from './render.ts';

/** Registers: the key (meta mark, client) in 0 to 4, the data or a value on its way in 6, the second half of a pair in 7. */
const KEY = 0, CLIENT = 1, VALUE = 6, SECOND = 7;

const hostOrder = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

// Each line is one statement, so that `nft list` can print it.
/** meta mark set ct mark and 0xbfffffff: a Service port and its local-only twin share their clients. */
const base = [expr.ctLoad('mark', VALUE), expr.bitwiseAnd(VALUE, hostOrder(~TWIN), VALUE), expr.metaSet('mark', VALUE)];
/** meta mark . ip6 saddr: the source address is 16 bytes from the 8th of the header. */
const key = [expr.metaLoad('mark', KEY), expr.payload('network', 8, 16, CLIENT)];
/** meta mark set meta mark . ip6 saddr map @affinity */
const known = [...key, expr.lookup('affinity', KEY, VALUE), expr.metaSet('mark', VALUE)];
/** ct mark . meta mark @live */
const isLive = [expr.ctLoad('mark', VALUE), expr.metaLoad('mark', SECOND), expr.lookup('live', VALUE)];
/** ct mark set meta mark */
const take = [expr.metaLoad('mark', VALUE), expr.ctSet('mark', VALUE)];
/** meta mark set ct mark map @owner */
const owner = [expr.ctLoad('mark', VALUE), expr.lookup('owner', VALUE, VALUE), expr.metaSet('mark', VALUE)];
/** meta mark set 0 */
const clear = [expr.immediate(hostOrder(0), VALUE), expr.metaSet('mark', VALUE)];

/** update (or delete) @affinity { meta mark . ip6 saddr [timeout] : ct mark } */
const write = (operation: 'update' | 'delete', options: { timeoutMs?: number } = {}): readonly Expression[] => [...key, expr.ctLoad('mark', VALUE), expr.dynset(operation, 'affinity', KEY, VALUE, options)];

/** The rules of chain `keep-SECONDS` of table `ip6 podwire`, in order. */
export function keeperExpressions(seconds: number): readonly (readonly Expression[])[] {
  const remember = [...owner, ...write('update', { timeoutMs: seconds * 1000 })];
  return [
    [...base, ...known, ...isLive, ...take, ...remember, ...clear, expr.verdict({ verdict: 'return' })],
    [...base, ...write('delete')],
    [expr.verdict({ verdict: 'jump', chain: 'pick-any' })],
    remember,
    clear,
  ];
}
