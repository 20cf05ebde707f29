// The part of `npm run test:vagrant` that runs in its own namespaces: libvirtd, `vagrant up`, the matrix, `vagrant destroy`.
// Arguments: FOLDER BOX KERNEL INITRD [FILTER]. Exit codes: 0 all as expected, 1 a cell is not, 2 it could not run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeClient, loadKubeconfig, resources } from '@podwire/kube-client';
import { errorText, LabError } from '../errors.ts';
import { kubectlPlaces, renderReport, runMatrix } from '../matrix/index.ts';
import { probeBundle } from '../probe/bundle.ts';
import { run } from '../processes/run.ts';
import { isReady } from '../status.ts';
import { loadBalancerCIDR, paths } from './layout.ts';
import { startLibvirt } from './private-libvirt.ts';

const [folder = '', box = '', kernel = '', initrd = '', filter = ''] = process.argv.slice(2);
const labFolder = join(import.meta.dirname, '..');
const workers = 2;
/** Emulated machines are slow, most of all while they boot. */
const readyTimeoutMs = 900_000;
const patience = 10;

const environment: NodeJS.ProcessEnv = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, LANG: 'C.UTF-8',
  VAGRANT_HOME: join(folder, 'vagrant-home'), VAGRANT_DOTFILE_PATH: join(folder, 'dot'), VAGRANT_CHECKPOINT_DISABLE: '1', VAGRANT_DEFAULT_PROVIDER: 'libvirt',
  PODWIRE_BOX: 'podwire/local', PODWIRE_WORKERS: String(workers), PODWIRE_LIBVIRT_DRIVER: 'qemu', PODWIRE_KERNEL: kernel, PODWIRE_INITRD: initrd,
  PODWIRE_OFFLINE: '1', PODWIRE_BOOT_TIMEOUT: '900',
};

/** Its output goes to the terminal: these steps take minutes. Not its counting of percents, which is thousands of lines in a log. */
async function vagrant(...args: readonly string[]): Promise<void> {
  const child = spawn('/usr/bin/vagrant', ['--no-tty', ...args], { cwd: labFolder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const text = line.split('\r').filter((part) => !/^\s*(\u001B\[K)?(Progress: .*)?$/u.test(part)).join(' ');
      if (text !== '') process.stderr.write(`${text}\n`);
    });
  }
  const [code] = (await once(child, 'close')) as readonly unknown[];
  if (code !== 0) throw new LabError('EFAILED', `vagrant ${args.join(' ')} ended with ${String(code)}; see above`);
}

/** The script a second time must find nothing to do on any machine; its last line says so. */
async function provisionAgain(): Promise<void> {
  const output = await run(['/usr/bin/vagrant', 'provision'], { cwd: labFolder, env: environment });
  if (output.split('nothing to change').length !== workers + 2) throw new LabError('EFAILED', `provisioning a second time changed something:\n${output}`);
}

/** An API server that has just started on an emulated machine may not even finish a handshake in time: that is no answer yet, not a failure. */
async function waitReady(client: KubeClient, wanted: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    let problem: string;
    try {
      const { items } = await client.list(resources.nodes, { signal: AbortSignal.timeout(60_000) });
      const ready = items.filter(isReady).map(({ metadata }) => metadata?.name ?? '');
      if (ready.length === wanted) return;
      problem = `only ${ready.join(', ') || 'none'} of ${wanted} nodes Ready`;
    } catch (error) {
      problem = `the API server does not list nodes: ${errorText(error)}`;
    }
    if (performance.now() > deadline) throw new LabError('EFAILED', `${problem}, after ${readyTimeoutMs / 1000} s`);
    await delay(2000);
  }
}

async function matrix(): Promise<0 | 1> {
  const sshConfig = join(folder, 'ssh-config');
  writeFileSync(sshConfig, await run(['/usr/bin/vagrant', 'ssh-config'], { cwd: labFolder, env: environment }), { mode: 0o600 });
  // One connection per machine for all commands: each handshake takes seconds there.
  const shared = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${join(folder, 'ssh-%C')}`, '-o', 'ControlPersist=600'];
  const onMachine = (name: string): readonly string[] => ['/usr/bin/ssh', '-F', sshConfig, ...shared, '-T', name, 'sudo'];
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, await run([...onMachine('control-plane'), 'cat', `${paths.apiserver}/kubeconfig`]), { mode: 0o600 });
  // This side of the private network is the outside of the cluster: node ports are reached directly, load balancers through a node.
  await run(['/usr/sbin/ip', 'route', 'replace', loadBalancerCIDR, 'via', '192.168.56.11']);
  const client = new KubeClient(loadKubeconfig(kubeconfig), { userAgent: 'podwire-test-vagrant' });
  try {
    await waitReady(client, workers + 1);
    process.stderr.write(`test:vagrant: ${workers + 1} nodes are Ready\n`);
    const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
    const probe = join('/opt/podwire/.cache/probe', (await probeBundle()).split('/').at(-1) ?? '');
    const report = await runMatrix({
      client, patience, ...(filter === '' ? {} : { filter }),
      places: await kubectlPlaces({
        kubeconfig, kubectl: join(folder, 'kubectl'), outsideAddresses: ['192.168.56.1'],
        onNode: { prefix: onMachine, probe: [`/opt/podwire/node_modules/node-linux-${arch}/bin/node`, probe] },
      }),
      hooks: { onPhase: (text) => { process.stderr.write(`matrix: ${text}\n`); } },
    });
    process.stdout.write(renderReport(report, 'table'));
    return report.summary.failed === 0 ? 0 : 1;
  } finally {
    client.close();
  }
}

async function main(): Promise<0 | 1> {
  await startLibvirt(folder);
  await vagrant('box', 'add', '--name', 'podwire/local', '--provider', 'libvirt', box);
  try {
    // The workers ask the control plane for their credentials: it first, then they together.
    await vagrant('up', 'control-plane');
    await vagrant('up');
    await provisionAgain();
    return await matrix();
  } finally {
    await vagrant('destroy', '--force');
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`test:vagrant: ${errorText(error)}\n`);
  process.exitCode = 2;
}
// libvirtd still runs and would keep us: everything in these namespaces ends with this process.
process.exit();
