import type { CellResult, MatrixReport } from './model.ts';

/** JUnit XML: a suite per path, a case per cell. */
export function junitReport({ summary, cells }: MatrixReport): string {
  const suites = [...Map.groupBy(cells, ({ path }) => path)].map(([path, group]) => {
    const count = (wanted: CellResult['result']): number => group.filter(({ result }) => result === wanted).length;
    return `  <testsuite name="${xml(path)}" tests="${group.length}" failures="${count('failed')}" errors="0" skipped="${count('skipped')}">\n${group.map(testCase).join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="connectivity matrix" tests="${cells.length}" failures="${summary.failed}" errors="0" skipped="${summary.skipped}">\n${suites.join('')}</testsuites>\n`;
}

function testCase(cell: CellResult): string {
  const name = `${cell.from} to ${cell.to}, ${cell.protocol} ${cell.family}, ${cell.locality}`;
  const start = `    <testcase classname="matrix.${xml(cell.path.replaceAll('.', ' '))}" name="${xml(name)}" time="${((cell.latencyMs ?? 0) / 1000).toFixed(6)}"`;
  if (cell.result === 'passed') return `${start}/>\n`;
  if (cell.result === 'skipped') return `${start}><skipped message="${xml(cell.reason)}"/></testcase>\n`;
  const text = [cell.reason, ...(cell.trace === undefined ? [] : [`trace: ${cell.trace}`])].join('\n');
  return `${start}><failure type="${xml(cell.observed)}" message="expected ${xml(cell.expected)}, observed ${xml(cell.observed)}">${xml(text)}</failure></testcase>\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Also drops characters that XML 1.0 cannot hold at all. */
export function xml(text: string): string {
   
  return text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, '').replaceAll(/[&<>"']/gu, (character) => ESCAPES[character] ?? character);
}
