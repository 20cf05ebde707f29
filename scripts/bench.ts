// npm run bench -- NAME [-o json]: runs one part's benchmark and prints its report.
//
//   npm run bench -- proxy
//   npm run bench -- cni -o json
//
// A report: {bench, machine, results: [{name, value, unit, floor?, peer?, ratio?, target, ok}]}. A peer is measured in the same run,
// a floor is the bare kernel or engine doing the same work. Exit code 0: every target reached; 1: some missed; 2: could not run.
import { existsSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';

interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly peer?: number;
  readonly ratio?: number;
  readonly target: string;
  readonly ok: boolean;
}

interface BenchReport {
  readonly bench: string;
  readonly results: readonly BenchResult[];
}

const places: Readonly<Record<string, string>> = { proxy: 'proxy/bench.ts', cni: 'cni/bench.ts', apiserver: 'apiserver-lite/bench.ts', agent: 'agent/bench.ts', lab: 'lab/bench.ts' };
const available = Object.keys(places).filter((name) => existsSync(places[name] ?? ''));

const words = process.argv.slice(2);
const outputAt = words.indexOf('-o');
const output = outputAt < 0 ? 'table' : (words[outputAt + 1] ?? '');
const name = words.find((word, index) => !word.startsWith('-') && index !== outputAt + 1) ?? words[0] ?? '';
const place = places[name];
if (place === undefined || !existsSync(place) || !['json', 'table'].includes(output)) {
  process.stderr.write(`bench: usage: npm run bench -- NAME [-o json]; NAME is one of ${available.join(', ')}\n`);
  process.exit(2);
}

const machine = { kernel: release(), arch: arch(), cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version };

function column(value: number | undefined): string {
  return value === undefined ? '' : Number(value.toPrecision(4)).toString();
}

function printTable(report: BenchReport): void {
  const rows = [['what', 'value', 'unit', 'floor', 'peer', 'ratio', 'target', 'reached'], ...report.results.map((one) => [one.name, column(one.value), one.unit, column(one.floor), column(one.peer), column(one.ratio), one.target, one.ok ? 'yes' : 'NO'])];
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  for (const row of rows) process.stdout.write(`${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd()}\n`);
}

try {
  const { run } = (await import(new URL(`../${place}`, import.meta.url).href)) as { run: () => Promise<BenchReport> };
  const report = await run();
  if (output === 'json') process.stdout.write(`${JSON.stringify({ bench: report.bench, machine, results: report.results }, undefined, 2)}\n`);
  else printTable(report);
  process.exit(report.results.every(({ ok }) => ok) ? 0 : 1);
} catch (error) {
  process.stderr.write(`bench ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}
