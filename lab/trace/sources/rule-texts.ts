// The text of every rule by its handle, as `nft -a list ruleset` prints it. Pure.

/** `family table chain handle` -> text. */
export function ruleTexts(listing: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  let table = '';
  let chain = '';
  for (const line of listing.split('\n')) {
    const begun = /^table (\S+ \S+) \{/.exec(line);
    if (begun !== null) table = begun[1] ?? '';
    const opened = /^\s*chain (\S+) \{/.exec(line);
    if (opened !== null) chain = opened[1] ?? '';
    const rule = /^\t\t(?!type |policy |elements|comment )(.+?) # handle (\d+)$/.exec(line);
    if (rule !== null && chain !== '') texts.set(`${table} ${chain} ${rule[2] ?? ''}`, (rule[1] ?? '').replace(/\s+/g, ' '));
    if (/^\t\}/.test(line)) chain = '';
  }
  return texts;
}
