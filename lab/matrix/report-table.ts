import { table } from '../table.ts';
import { symbolOf } from './judge.ts';
import { PATHS } from './model.ts';
import type { CellResult, MatrixReport } from './model.ts';

const LEGEND = '. ok   X time-out   R refused   S wrong source   E wrong endpoint   N wrong name   ~ flaky   O answered where it must not   ! error   - skipped';

/** The grid: a line per path and locality, a column per protocol and family, a character per cell; then only what differs. */
export function tableReport({ summary, cells }: MatrixReport): string {
  const columns = [...new Set(cells.map(columnOf))].sort();
  const rows = PATHS.flatMap((path) => {
    const ofPath = cells.filter((cell) => cell.path === path);
    return [...Map.groupBy(ofPath, ({ locality }) => locality)].map(([locality, group]) => [
      path, locality, ...columns.map((column) => group.filter((cell) => columnOf(cell) === column).map(symbolOf).join('')),
    ]);
  });
  const failed = cells.filter(({ result }) => result === 'failed');
  const differences = failed.flatMap((cell) => [
    `${symbolOf(cell)} ${cell.from} -> ${cell.to}  ${cell.protocol} ${cell.family}  (${cell.path}, ${cell.locality})`,
    `    expected ${cell.expected}, observed ${cell.observed}: ${cell.reason}`,
    ...(cell.trace === undefined ? [] : [`    trace: ${cell.trace}`]),
  ]);
  return `${[
    table(['PATH', 'WHERE', ...columns], rows), '', LEGEND,
    ...(differences.length === 0 ? [] : ['', 'Not as expected:', ...differences]),
    ...measuredLines(cells), ...skippedLines(cells), '', `${summary.passed} as expected, ${summary.failed} not, ${summary.skipped} skipped`,
  ].join('\n')}\n`;
}

const columnOf = ({ protocol, family }: CellResult): string => `${protocol} ${family}`;

/** Cells that passed and have more to say than that: what was lost, how long it took. */
function measuredLines(cells: readonly CellResult[]): readonly string[] {
  const telling = cells.filter(({ result, reason }) => result === 'passed' && reason !== '');
  return telling.length === 0 ? [] : ['', 'Measured:', ...telling.map(({ path, from, to, protocol, family, reason }) => `  ${path}, ${from} -> ${to}, ${protocol} ${family}: ${reason}`)];
}

function skippedLines(cells: readonly CellResult[]): readonly string[] {
  const reasons = Map.groupBy(cells.filter(({ result }) => result === 'skipped'), ({ reason }) => reason);
  return reasons.size === 0 ? [] : ['', 'Skipped:', ...[...reasons].map(([reason, group]) => `  ${group.length} x ${[...new Set(group.map(({ path, protocol }) => (protocol === 'SCTP' ? protocol : path)))].join(', ')}: ${reason}`)];
}
