import { NftError } from '../errors.ts';
import type { FieldType, FieldValue } from '../fields.ts';
import { FIELDS } from '../fields.ts';
import type { ElementValue, SetSchema, Verdict } from '../schema.ts';
import { VERDICT } from '../wire.ts';
import type { VerdictName } from '../wire.ts';

/** A word, a number, or one of `{ } ; = , :`; an end of line is `;`. */
export interface Token {
  readonly text: string;
  readonly line: number;
}

export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  source.split('\n').forEach((text, index) => {
    const code = text.replace(/#.*$/, '');
    for (const [word] of code.matchAll(/"[^"]*"|[{};=,]|:(?=\s|$)|[^\s{};=,]+/g)) tokens.push({ text: word, line: index + 1 });
    tokens.push({ text: ';', line: index + 1 });
  });
  return tokens;
}

/** The reader's place in a ruleset text. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get done(): boolean { return this.#at >= this.#tokens.length; }
  peek(): string { return this.#tokens[this.#at]?.text ?? ''; }
  line(): number { return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]?.line ?? 0; }

  next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.fail('unexpected end of file');
    this.#at++;
    return token.text;
  }

  expect(text: string): void {
    const found = this.next();
    if (found !== text) throw this.fail(`syntax error, unexpected ${found}, expecting ${text}`);
  }

  /** Skips separators; false at the end of the text. */
  hasCommand(): boolean {
    while (this.peek() === ';') this.#at++;
    return !this.done;
  }

  /** Skips separators; true when the block ends here, or the text does. */
  atClosingBrace(): boolean {
    return !this.hasCommand() || this.peek() === '}';
  }

  /** Words up to one of `stops`, which stays; a `{` opens a part that is taken whole. */
  until(stops: readonly string[]): string[] {
    const words: string[] = [];
    let depth = 0;
    while (!this.done && (depth > 0 || !stops.includes(this.peek()))) {
      const word = this.next();
      if (word === '{') depth++;
      if (word === '}') depth--;
      if (word !== ';' || depth === 0) words.push(word);
    }
    return words;
  }

  fail(text: string, code = 'SYNTAX'): NftError {
    return new NftError(`nft -f -: line ${this.line()}`, code, text, { line: this.line() });
  }
}

/** `ipv4_addr . inet_service`, or the expressions after `typeof`, as field types. */
export function parseTypes(words: readonly string[], isTypeof: boolean, fail: (text: string) => NftError): readonly FieldType[] {
  return words.join(' ').split(' . ').map((part) => {
    const type = isTypeof ? typeofExpression(part) : part;
    if (type === undefined || !(type in FIELDS)) throw fail(`unknown datatype ${part}`);
    return type as FieldType;
  });
}

function typeofExpression(expression: string): FieldType | undefined {
  if (/mark|numgen|iif$|oif$/.test(expression)) return 'mark';
  if (/^ip [sd]addr$/.test(expression)) return 'ipv4_addr';
  if (/^ip6 [sd]addr$/.test(expression)) return 'ipv6_addr';
  if (/[sd]port$/.test(expression)) return 'inet_service';
  if (/l4proto|protocol$/.test(expression)) return 'inet_proto';
  return undefined;
}

export interface TextElement {
  readonly key: ElementValue;
  readonly cidr?: string;
  readonly data?: ElementValue | Verdict;
}

/** `{ KEY . KEY : DATA, ... }` without its braces. */
export function parseElements(words: readonly string[], set: SetSchema): readonly TextElement[] {
  const elements: TextElement[] = [];
  for (const words_ of splitAt(words, ',')) {
    if (words_.length === 0) continue;
    const [keyWords = [], dataWords] = splitAt(words_, ':');
    const only = keyWords[0] ?? '';
    const isCidr = set.interval && keyWords.length === 1 && only.includes('/');
    const key = isCidr ? only : fields(keyWords, set.key.fields);
    const data = dataWords === undefined ? undefined : set.data === 'verdict' ? parseVerdictWords(dataWords) : set.data === undefined ? undefined : fields(dataWords, set.data.fields);
    elements.push({ key, ...(set.interval && keyWords.length === 1 ? { cidr: only } : {}), ...(data === undefined ? {} : { data }) });
  }
  return elements;
}

function splitAt(words: readonly string[], separator: string): string[][] {
  const parts: string[][] = [[]];
  for (const word of words) {
    if (word === separator) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts;
}

function fields(words: readonly string[], types: readonly FieldType[]): readonly FieldValue[] {
  return words.filter((word) => word !== '.').map((word, i) => (types[i] === 'mark' || types[i] === 'inet_service' || (types[i] === 'inet_proto' && /^\d/.test(word)) ? Number(word) : word));
}

function parseVerdictWords([name = '', chain]: readonly string[]): Verdict {
  if (!(name in VERDICT)) throw new NftError(`verdict ${name}`, 'EUSAGE', 'is none');
  return chain === undefined ? { verdict: name as VerdictName } : { verdict: name as VerdictName, chain };
}
