// Import boundaries: runs dependency-cruiser over the whole tree and fails when a rule is broken, and also when it saw
// no modules at all (a parser that cannot read the files would otherwise report "no violations").
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const roots = ['packages', 'apiserver-lite', 'proxy', 'cni', 'agent', 'lab', 'test', 'scripts'].filter((root) => globSync(`${root}/**/*.ts`).length > 0);
const run = spawnSync(process.execPath, ['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...roots], {
  encoding: 'utf8',
  maxBuffer: 256 * 1024 * 1024,
});
if (!run.stdout.startsWith('{')) {
  process.stderr.write(`boundaries: dependency-cruiser did not run: ${run.stderr || run.stdout}\n`);
  process.exit(2);
}

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}
const { summary } = JSON.parse(run.stdout) as { summary: { totalCruised: number; violations: readonly Violation[] } };
for (const { from, to, rule } of summary.violations) process.stdout.write(`${rule.name}: ${from} -> ${to}\n`);
process.stdout.write(`boundaries: ${summary.violations.length} violations in ${summary.totalCruised} modules\n`);
if (summary.totalCruised === 0) process.stderr.write('boundaries: no module was seen; the check itself is broken\n');
process.exit(summary.violations.length > 0 || summary.totalCruised === 0 ? 1 : 0);
