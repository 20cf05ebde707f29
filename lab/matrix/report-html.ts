import { symbolOf } from './judge.ts';
import { PATHS } from './model.ts';
import type { CellResult, MatrixReport } from './model.ts';
import { xml } from './report-junit.ts';

const STYLE = `
:root { color-scheme: light dark; --ok: light-dark(#1a7f37, #3fb950); --bad: light-dark(#b3261e, #ff7b72); --skip: light-dark(#5b6570, #9aa4ae); --line: light-dark(#d5dae0, #373e47); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; } li { margin: .3rem 0; overflow-wrap: anywhere; } .sum { font-size: 1.1rem; } .bad { color: var(--bad); } .ok { color: var(--ok); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; } th { font-weight: 600; }
.cells { display: flex; flex-wrap: wrap; gap: 3px; } button { font: 600 13px/1 ui-monospace, monospace; width: 1.6rem; height: 1.6rem; border: 1px solid; border-radius: 4px; background: none; cursor: pointer; padding: 0; }
button.passed { color: var(--ok); } button.failed { color: #fff; background: #b3261e; border-color: #b3261e; } button.skipped { color: var(--skip); } button:focus-visible { outline: 3px solid Highlight; outline-offset: 1px; }
dialog { max-width: min(42rem, 92vw); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.2rem; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
dialog button { width: auto; padding: .4rem .8rem; height: auto; }
`;

// Arrow keys walk through the cells, Enter opens one, Escape closes it: the dialog element does the last two by itself.
const SCRIPT = `
const cells = JSON.parse(document.getElementById('data').textContent);
const buttons = [...document.querySelectorAll('button[data-cell]')];
const dialog = document.querySelector('dialog');
const rows = [['from','From'],['to','To'],['path','Path'],['locality','Where'],['protocol','Protocol'],['family','Family'],['expected','Expected'],['observed','Observed'],['sourceExpected','Source expected'],['sourceObserved','Source observed'],['reason','Reason'],['latencyMs','Fastest, ms'],['trace','Trace'],['id','Id']];
for (const button of buttons) {
  button.addEventListener('click', () => {
    const cell = cells[button.dataset.cell];
    const list = dialog.querySelector('dl');
    list.replaceChildren(...rows.filter(([key]) => cell[key] !== undefined && String(cell[key]) !== '').flatMap(([key, title]) => {
      const dt = document.createElement('dt'); dt.textContent = title;
      const dd = document.createElement('dd'); dd.textContent = [cell[key]].flat().join(', ');
      return [dt, dd];
    }));
    dialog.showModal();
  });
  button.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    buttons[(buttons.indexOf(button) + step + buttons.length) % buttons.length].focus();
  });
}
`;

/** One file, no network access: the grid with a button per cell that opens what was expected and observed. */
export function htmlReport({ summary, cells }: MatrixReport): string {
  const numbered = cells.map((cell, number) => ({ cell, number }));
  const columns = [...new Set(cells.map(columnOf))].sort();
  const body = PATHS.flatMap((path) => [...Map.groupBy(numbered.filter(({ cell }) => cell.path === path), ({ cell }) => cell.locality)].map(([locality, group]) =>
    `<tr><th scope="row">${xml(path)}</th><td>${xml(locality)}</td>${columns.map((column) => `<td><div class="cells">${group.filter(({ cell }) => columnOf(cell) === column).map(button).join('')}</div></td>`).join('')}</tr>`)).join('\n');
  // A JSON script element ends at the first "</": the one thing to escape in it.
  const data = JSON.stringify(cells).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Connectivity matrix</title><style>${STYLE}</style></head>
<body><main><h1>Connectivity matrix</h1>
<p class="sum"><span class="ok">${summary.passed} as expected</span>, <span class="${summary.failed === 0 ? 'ok' : 'bad'}">${summary.failed} not</span>, ${summary.skipped} skipped</p>
<p>A square is a path. <b>.</b> as expected, <b>X</b> time-out, <b>R</b> refused, <b>S</b> wrong source address, <b>E</b> wrong endpoint, <b>~</b> flaky, <b>O</b> answered where it must not, <b>!</b> error, <b>-</b> skipped. Arrow keys move, Enter opens.</p>
<div class="scroll"><table><thead><tr><th scope="col">Path</th><th scope="col">Where</th>${columns.map((column) => `<th scope="col">${xml(column)}</th>`).join('')}</tr></thead><tbody>
${body}
</tbody></table></div>
${differences(cells)}</main>
<dialog aria-label="Cell"><dl></dl><form method="dialog"><button>Close</button></form></dialog>
<script type="application/json" id="data">${data}</script><script>${SCRIPT}</script></body></html>
`;
}

/** The same as text: to read, to search, to copy. */
function differences(cells: readonly CellResult[]): string {
  const failed = cells.filter(({ result }) => result === 'failed');
  if (failed.length === 0) return '';
  const items = failed.map((cell) => `<li><b>${xml(cell.from)} → ${xml(cell.to)}</b>, ${cell.protocol} ${cell.family}, ${xml(cell.path)}, ${xml(cell.locality)}: expected ${cell.expected}, observed ${xml(cell.observed)}. ${xml(cell.reason)}${cell.trace === undefined ? '' : `<br>Trace: ${xml(cell.trace)}`}</li>`);
  return `<h2>Not as expected</h2><ul>${items.join('\n')}</ul>`;
}

const columnOf = ({ protocol, family }: CellResult): string => `${protocol} ${family}`;

function button({ cell, number }: { readonly cell: CellResult; readonly number: number }): string {
  const label = `${cell.from} to ${cell.to}, ${cell.protocol} ${cell.family}: ${cell.result}${cell.result === 'failed' ? `, ${cell.observed}` : ''}`;
  return `<button class="${cell.result}" data-cell="${number}" aria-label="${xml(label)}" title="${xml(label)}">${symbolOf(cell)}</button>`;
}
