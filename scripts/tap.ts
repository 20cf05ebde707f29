// Reads AVA's TAP lines (https://testanything.org/tap-version-13-specification.html) into counts.

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export const newTally = (): Tally => ({ passed: 0, failed: 0, skipped: 0 });

/** Counts one line; says what it was, or `undefined` for a line that closes no test (comments, diagnostics, the plan). */
export function countTapLine(line: string, tally: Tally): keyof Tally | undefined {
  const match = /^(not )?ok \d+ - (?<rest>.*)$/.exec(line);
  if (match === null) return undefined;
  const rest = match.groups?.['rest'] ?? '';
  const outcome = match[1] !== undefined ? 'failed' : / # (SKIP|TODO)\b/i.test(rest) ? 'skipped' : 'passed';
  tally[outcome] += 1;
  return outcome;
}
