/** What the kernel, or `nft`, refused, named by the operation that was refused. */
export class NftError extends Error {
  override readonly name = 'NftError';
  /** Symbolic errno of the kernel (`EEXIST`, `ENOENT`), or `SYNTAX` for ruleset text that `nft` refuses, or `EUSAGE` for a value that cannot be encoded. */
  readonly code: string;
  /** The refused operation in nft's own words, e.g. `add element ip podwire slot { 0x1 . 0x0 : 0x2 }`. */
  readonly operation: string;
  /** The kernel's extended-ack text, or nft's message; may be empty. */
  readonly kernelText: string;
  /** Line of the ruleset text, 1-based; only from loadRuleset and checkRuleset. */
  readonly line: number | undefined;

  constructor(operation: string, code: string, kernelText: string, extra: { line?: number; cause?: unknown } = {}) {
    super(`${operation}: ${code} ${kernelText}`.trim(), 'cause' in extra ? { cause: extra.cause } : undefined);
    this.operation = operation;
    this.code = code;
    this.kernelText = kernelText;
    this.line = extra.line;
  }
}

/** A value that does not fit its field: thrown while a transaction is built, before anything reaches the kernel. */
export function unusable(what: string, value: unknown, expected: string): NftError {
  return new NftError(what, 'EUSAGE', `${JSON.stringify(value) as string | undefined ?? String(value)} is not ${expected}`);
}
