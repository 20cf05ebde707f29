// The readable template becomes the text that nft loads: once for each IP family. Also the two kinds of chains that data
// calls for: one per distinct endpoint count, one per distinct affinity time-out.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export type IpFamily = 'ip' | 'ip6';

/** How a packet is known to come from a pod; `none`: nothing is known, and nothing is masqueraded for it. */
export type PodSource =
  | { readonly kind: 'cidrs' }
  | { readonly kind: 'interface'; /** A name, or a prefix ending in `*`. */ readonly pattern: string }
  | { readonly kind: 'none' };

export interface RulesetOptions {
  readonly podSource: PodSource;
  readonly masqueradeAll: boolean;
  /** 0..31; default of kube-proxy: 14. */
  readonly masqueradeBit: number;
  /** `fully-random` is absent where the kernel lacks it. */
  readonly fullyRandom?: boolean;
}

/** What the rules are told by the data: chains that exist because some Service has that many endpoints, or that time-out. */
export interface RuntimeChains {
  readonly pickers: Iterable<number>;
  readonly keepers: Iterable<number>;
}

export const TABLE = 'podwire';
/** Serves while a table of another layout is replaced. */
export const STAND_IN = 'podwire-next';
export const TWIN = 0x4000_0000;
/** count rows with this bit choose by hash over the low bits' number of slots. */
export const HASHED = 0x1000_0000;

let template: string | undefined;

/** The constant ruleset as nft text: creates what is missing, replaces every rule, keeps every element; one transaction. */
export function renderRuleset(family: IpFamily, options: RulesetOptions, chains: RuntimeChains = { pickers: [], keepers: [] }, table = TABLE): string {
  const hasSource = options.podSource.kind !== 'none';
  const enabled: Record<string, boolean> = {
    'pod-source': hasSource && !options.masqueradeAll,
    masquerade: hasSource || options.masqueradeAll,
    'from-pod': hasSource,
  };
  const text = templateText().split('\n').flatMap((line) => {
    const conditional = /^\?([a-z-]+)\?(.*)$/.exec(line);
    return conditional === null ? [line] : enabled[conditional[1] ?? ''] === true ? [conditional[2] ?? ''] : [];
  }).join('\n');
  // The head of the file explains the symbols: it keeps them.
  const start = text.indexOf('\ntable ');
  const rules = options.fullyRandom === false ? text.slice(start).replaceAll('masquerade fully-random', 'masquerade') : text.slice(start);
  const body = `${text.slice(0, start)}${substitute(rules, family, options)}`;
  const fresh = ['pickers', 'keepers'].map((map) => `flush map ${family} ${table} ${map}\n`).join('');
  return `${body.replaceAll(`table ${family} ${TABLE}`, `table ${family} ${table}`)}${fresh}${renderRuntime(family, chains, table)}`;
}

function templateText(): string {
  return (template ??= readFileSync(new URL('podwire.nft', import.meta.url), 'utf8'));
}

/**
 * What a table's comment says of its maps and what their numbers mean: rows can be taken over only from a table that says the same.
 * Rules may differ: they are replaced, and the rows stay.
 */
export function layoutOf(family: IpFamily): string {
  const declared = templateText().split('\nflush table')[0]?.replaceAll(/#.*/g, '').replaceAll(/\s+/g, ' ') ?? '';
  return `layout ${createHash('sha256').update(`${declared} ${family} ${TWIN} ${HASHED}`).digest('hex').slice(0, 8)}`;
}

function substitute(text: string, family: IpFamily, options: RulesetOptions): string {
  const from = options.podSource.kind === 'interface' ? `iifname "${options.podSource.pattern}"` : `${family} saddr @pod-net`;
  return text
    .replaceAll('$layout', layoutOf(family))
    .replaceAll('$from_pod', from)
    .replaceAll('$masquerade', `0x${(2 ** options.masqueradeBit).toString(16)}`)
    .replaceAll('$loopback', family === 'ip' ? '127.0.0.0/8' : '::1')
    .replaceAll('$addr', family === 'ip' ? 'ipv4_addr' : 'ipv6_addr')
    .replaceAll('$ip', family);
}

/** lb-N and keep-SECONDS with the verdict rows that lead to them, as nft text. */
export function renderRuntime(family: IpFamily, chains: RuntimeChains, table = TABLE): string {
  const lines: string[] = [];
  for (const count of chains.pickers) {
    lines.push(`add chain ${family} ${table} ${pickerName(count)}`, `add rule ${family} ${table} ${pickerName(count)} ${pickerRule(family, count)}`);
    lines.push(`add element ${family} ${table} pickers { 0x${count.toString(16)} : jump ${pickerName(count)} }`);
  }
  for (const seconds of chains.keepers) {
    lines.push(`add chain ${family} ${table} keep-${seconds}`);
    for (const rule of keeperRules(family, seconds)) lines.push(`add rule ${family} ${table} keep-${seconds} ${rule}`);
    lines.push(`add element ${family} ${table} keepers { 0x${seconds.toString(16)} : goto keep-${seconds} }`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

export function pickerName(count: number): string {
  return count >= HASHED ? `hash-${count - HASHED}` : `lb-${count}`;
}

function pickerRule(family: IpFamily, count: number): string {
  if (count < HASHED) return `ct mark set ct mark . numgen random mod ${count} map @slot`;
  return `ct mark set ct mark . jhash ${family} saddr . th sport mod ${count - HASHED} seed 0x70770001 map @slot`;
}

/** How many rules keep-SECONDS has. */
export const KEEPER_RULES = 5;

/** A client that is known and whose endpoint is live stays with it; else it is forgotten, gets a new one, and that is remembered. */
function keeperRules(family: IpFamily, seconds: number): readonly string[] {
  // Only until the real ones replace them (keeper-rules.ts): any endpoint, not remembered.
  if (family === 'ip6') return ['jump pick-any', 'meta mark set 0'];
  const base = 'meta mark set ct mark and 0xbfffffff';
  const remember = `meta mark set ct mark map @owner update @affinity { meta mark . ${family} saddr timeout ${seconds}s : ct mark } meta mark set 0`;
  return [
    `${base} meta mark set meta mark . ${family} saddr map @affinity ct mark . meta mark @live ct mark set meta mark ${remember} return`,
    `${base} delete @affinity { meta mark . ${family} saddr : ct mark }`,
    'jump pick-any',
    remember,
    'meta mark set 0',
  ];
}
