/**
 * node cni/testing/reference-suite.ts: the reference plugins' own integration suite (github.com/containernetworking/plugins,
 * fetched as a Go module) with our executables in their place. Needs Go and the module proxy; takes some minutes, of which
 * the suite waits one for a throttled transfer. Not part of the tests for that reason. Exit codes: 0 passed, 1 failed, 2 could not run.
 */
import { deleteNetns } from '@podwire/netlink';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPlugins } from '../install.ts';

const version = 'v1.6.0';
const suite = 'github.com/containernetworking/plugins';
const folder = mkdtempSync(join(tmpdir(), 'pw-cni-suite-'));
const env = { ...process.env, GOFLAGS: '-mod=mod', GOBIN: join(folder, 'go') };

function step(command: string, args: readonly string[], cwd = folder): string {
  process.stderr.write(`+ ${command} ${args.join(' ')}\n`);
  const { status, stdout, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (error !== undefined || status !== 0) {
    process.stderr.write(`reference suite: ${command} failed${error === undefined ? '' : `: ${error.message}`}; Go and its module proxy are needed\n`);
    rmSync(folder, { recursive: true, force: true });
    process.exit(2);
  }
  return stdout.trim();
}

writeFileSync(join(folder, 'go.mod'), 'module suite\n\ngo 1.22\n');
step('go', ['install', 'github.com/containernetworking/cni/cnitool@v1.3.0']);
step('go', ['get', `${suite}@${version}`]);
step('go', ['test', '-c', '-o', join(folder, 'integration.test'), `${suite}/integration`]);
// The suite builds these two itself; now they are in Go's cache, where it finds them without a network.
for (const end of ['server', 'client']) step('go', ['build', '-o', '/dev/null', `${suite}/pkg/testutils/echo/${end}`]);
await installPlugins(join(folder, 'bin'));
mkdirSync(join(folder, 'suite'));
cpSync(join(step('go', ['list', '-m', '-f', '{{.Dir}}', suite]), 'integration'), join(folder, 'suite'), { recursive: true });

// What is there before belongs to somebody else.
const before = new Set(testNamespaces());
// Gomega's second is for a machine with nothing else to do; no check becomes weaker by waiting longer for a server to start.
const { status, stdout } = spawnSync('unshare', ['--net', '/bin/sh', '-c', 'ip link set lo up && exec ../integration.test --ginkgo.no-color --ginkgo.v'], {
  cwd: join(folder, 'suite'), stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 26,
  env: { ...env, CNI_PATH: join(folder, 'bin'), PATH: `${join(folder, 'go')}:${process.env['PATH'] ?? ''}`, GOMEGA_DEFAULT_EVENTUALLY_TIMEOUT: '30s' },
});
for (const name of testNamespaces()) if (!before.has(name)) deleteNetns(name);
rmSync(folder, { recursive: true, force: true });
if (status !== 0) process.stdout.write(stdout);
const counts = /(\d+) Passed \| (\d+) Failed \| (\d+) Pending \| (\d+) Skipped/.exec(stdout);
process.stdout.write(counts === null
  ? `reference suite ${version}: it ended without a result\n`
  : `reference suite ${version} with our executables: ${counts[1] ?? ''} passed, ${counts[2] ?? ''} failed, ${Number(counts[3]) + Number(counts[4])} skipped\n`);
process.exit(status === 0 && counts !== null ? 0 : 1);

/** The suite names its namespaces like this, and leaves them when a test of it fails. */
function testNamespaces(): readonly string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith('cni-test-')) : [];
}
