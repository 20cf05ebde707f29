import { htmlReport } from './report-html.ts';
import { junitReport } from './report-junit.ts';
import { tableReport } from './report-table.ts';
import type { MatrixReport } from './model.ts';

export type ReportFormat = 'table' | 'json' | 'junit' | 'html';
export const REPORT_FORMATS: readonly ReportFormat[] = ['table', 'json', 'junit', 'html'];

export function renderReport(report: MatrixReport, format: ReportFormat): string {
  switch (format) {
    case 'table': return tableReport(report);
    case 'json': return `${JSON.stringify(report, null, 2)}\n`;
    case 'junit': return junitReport(report);
    case 'html': return htmlReport(report);
  }
}
