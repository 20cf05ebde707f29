// Runs the test suite in three stages, each a run of AVA: unit tests beside the code, integration tests (and conformance) in private network
// namespaces, end-to-end tests over a real lab. Prints every failure whole, a line per stage, and last the sum.
//
//   npm test                     all three stages
//   npm test -- --unit           one stage (--unit, --integration, --e2e; may be combined)
//   npm test -- proxy/core       only files whose path contains the word
//   npm test -- --retry          files with a failed test run once more, alone; what passes then is told as `flaky`. A submission is judged
//                                so: one race in 1,500 tests is to be seen and mended, and should not throw away the rest.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { countTapLine, fileOfTapLine, newTally } from './tap.ts';
import type { Tally } from './tap.ts';

interface Stage {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Test files run at once; each end-to-end file has a lab of its own. What waits for kernels and containers leaves a third of two cores idle. */
  readonly concurrency: number;
}

const stages: readonly Stage[] = [
  { name: 'unit', patterns: ['packages/**/*.test.ts', 'apiserver-lite/**/*.test.ts', 'proxy/**/*.test.ts', 'cni/**/*.test.ts', 'agent/**/*.test.ts', 'lab/**/*.test.ts', 'scripts/**/*.test.ts'], concurrency: 2 },
  { name: 'integration', patterns: ['test/integration/**/*.test.ts', 'test/conformance/**/*.test.ts'], concurrency: 3 },
  { name: 'e2e', patterns: ['test/e2e/**/*.test.ts'], concurrency: 3 },
];

const isFile = (path: string): boolean => !path.includes('node_modules/') && !path.includes('/dist/');

interface Outcome {
  readonly tally: Tally;
  /** Files with a failed test; `undefined`: at least one failure whose file cannot be told. */
  readonly failedFiles: ReadonlySet<string> | undefined;
}

/** Runs AVA over the files. Failures are printed whole. */
async function runFiles(name: string, files: readonly string[], concurrency: number): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', './scripts/tap-any-error.ts', 'node_modules/ava/entrypoints/cli.js', '--tap', '--concurrency', String(concurrency), ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Compiled code is kept between the processes: each test file has one of its own, and strips the types of all it imports.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '..', '.cache', 'compile'), ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0' },
  });
  const ended = new Promise<number>((resolve) => { child.once('close', (status) => resolve(status ?? 1)); });
  const tally = newTally();
  const failedIn: (string | undefined)[] = [];
  let inFailure = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const kind = countTapLine(line, tally);
    if (kind !== undefined) inFailure = kind === 'failed';
    if (kind === 'failed') failedIn.push(fileOfTapLine(line, files));
    if (kind === 'skipped') process.stdout.write(`${line.replace(/^ok \d+ - /, 'skipped: ')}\n`);
    else if (inFailure) process.stdout.write(`${line}\n`);
  }
  const code = await ended;
  // A runner that dies without naming a failed test must not count as a pass.
  if (code !== 0 && tally.failed === 0) {
    tally.failed += 1;
    failedIn.push(undefined);
    process.stdout.write(`not ok - the ${name} run ended with exit code ${code} and named no failed test\n`);
  }
  const known = failedIn.filter((file) => file !== undefined);
  return { tally, failedFiles: known.length === failedIn.length ? new Set(known) : undefined };
}

/** Runs one stage, tells its outcome in a line, and adds it to the sum. */
async function runStage(stage: Stage, files: readonly string[], sum: Tally): Promise<void> {
  const startedMs = Date.now();
  const first = await runFiles(stage.name, files, stage.concurrency);
  const { failedFiles } = first;
  let { tally } = first;
  if (isRetrying && tally.failed > 0 && failedFiles !== undefined) {
    const again = [...failedFiles];
    process.stdout.write(`retry: ${again.join(', ')}\n`);
    const second = await runFiles(stage.name, again, 1);
    if (second.tally.failed === 0) process.stdout.write(`flaky: ${tally.failed} failed in ${again.join(', ')}, and passed when run again, alone\n`);
    tally = { passed: tally.passed + (second.tally.failed === 0 ? tally.failed : 0), failed: second.tally.failed, skipped: tally.skipped };
  }
  for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += tally[key];
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  process.stdout.write(`${stage.name}: ${tally.passed} ok, ${tally.failed} not ok, ${tally.skipped} left out, ${files.length} files, ${seconds} s\n`);
}

const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
const chosen = options.filter((name) => name !== 'retry');
const filters = words.filter((word) => !word.startsWith('--'));
const isRetrying = options.includes('retry');
const unknown = chosen.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  process.stderr.write(`test: unknown option --${unknown.join(', --')}; use --unit, --integration, --e2e, --retry or a part of a path\n`);
  process.exit(2);
}

const tally = newTally();
for (const stage of stages.filter(({ name }) => chosen.length === 0 || chosen.includes(name))) {
  const files = globSync([...stage.patterns]).filter(isFile).filter((path) => filters.length === 0 || filters.some((word) => path.includes(word))).sort();
  if (files.length > 0) await runStage(stage, files, tally);
}
if (tally.passed + tally.failed === 0) {
  process.stderr.write('test: no test matched\n');
  tally.failed += 1;
}
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`);
process.exit(tally.failed > 0 ? 1 : 0);
