// `npm run test:vagrant [-- --filter EXPR]`: the cluster on virtual machines, made, probed and destroyed. Needs root, and no hardware
// virtualisation. Exit codes: 0 all as expected, 1 a cell of the matrix is not, 2 it could not run.
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorText, LabError } from '../errors.ts';
import { fetchNginx } from '../images/nginx.ts';
import { cacheDir } from '../images/cache.ts';
import { tini } from '../images/machine-files.ts';
import { requireRoot } from '../preflight.ts';
import { probeBundle } from '../probe/bundle.ts';
import { makeBox } from './box.ts';
import { snapshotTree } from './snapshot.ts';

const note = (text: string): void => { process.stderr.write(`test:vagrant: ${text}\n`); };

function findKubectl(): string {
  const found = [...(process.env['PATH'] ?? '').split(':'), join(cacheDir(), 'bin')].map((folder) => join(folder, 'kubectl')).find((path) => existsSync(path));
  if (found === undefined) throw new LabError('ENEED', 'kubectl is missing; run: sh lab/setup.sh');
  return found;
}

/**
 * Runs inside.ts of that tree in namespaces of its own. When we end, or are killed, the kernel ends everything in them. Their first
 * process must reap what others leave behind, as tini does: libvirt takes a dead QEMU that nobody reaped for one that does not die.
 */
function runInside(tree: string, args: readonly string[]): Promise<number> {
  const child = spawn('/usr/bin/unshare', ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child', tini(), '--', process.execPath, join(tree, 'lab/vagrant/inside.ts'), ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  process.once('exit', () => { child.kill('SIGKILL'); });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => { resolve(code ?? 2); });
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { filter: { type: 'string' } } });
  requireRoot('test:vagrant');
  const kubectl = findKubectl();
  // The machines have no way out: what they would fetch is fetched here, and goes with the source.
  await probeBundle();
  await fetchNginx(note);
  // The machines would take both processors, for many minutes.
  setPriority(10);
  const folder = mkdtempSync(join(tmpdir(), 'podwire-vms-'));
  const interrupted = (): void => {
    note('interrupted; removing the machines');
    process.exit(2);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted).once('exit', () => { rmSync(folder, { recursive: true, force: true, maxRetries: 5 }); });
  try {
    copyFileSync(kubectl, join(folder, 'kubectl'));
    const mirror = process.env['PODWIRE_DEBIAN_MIRROR'];
    const tree = join(folder, 'tree');
    await snapshotTree(join(import.meta.dirname, '../..'), tree);
    const box = await makeBox(folder, { ...(mirror === undefined ? {} : { mirror }), kubectl, tree, note });
    return await runInside(tree, [folder, box.file, box.kernel, box.initrd, values.filter ?? '']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  note(errorText(error));
  process.exitCode = 2;
}
