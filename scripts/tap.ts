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

/**
 * Of the files of a run, the one that a failed line is about: AVA writes a test's title after its file's path, without the folders that all
 * files of the run share, and a path of its own accord when a file dies. `undefined`: none, or it cannot be told.
 */
export function fileOfTapLine(line: string, files: readonly string[]): string | undefined {
  const rest = /^not ok \d+ - (?<rest>.*)$/.exec(line)?.groups?.['rest'];
  if (rest === undefined) return undefined;
  if (files.length === 1) return files[0];
  const named = files.filter((file) => {
    const folders = file.replace(/\.test\.ts$/, '').split('/');
    return rest.includes(file) || folders.some((_, from) => rest.startsWith(`${folders.slice(from).join(' › ')} › `));
  });
  return named.length === 1 ? named[0] : undefined;
}
