// The Vagrant lab's provisioning script, run twice on a control plane and on a worker. The machines are mount namespaces in one private
// network namespace; everything but systemd is real.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { fetchNginx } from '../../lab/images/nginx.ts';
import { cannotRunEngine, startTestEngine } from '../helpers/engine.ts';
import { finish } from '../helpers/run.ts';

const source = join(import.meta.dirname, '..', '..');
const cannotRun = cannotRunEngine ?? (existsSync('/usr/bin/systemctl') ? undefined : 'there is no /usr/bin/systemctl to stand in for');
const maybe = cannotRun === undefined ? test : test.skip;
const title = 'provisioning a control plane and a worker twice changes nothing the second time, and the worker becomes Ready';

maybe(cannotRun === undefined ? title : `${title} (skipped: ${cannotRun})`, async (t) => {
  t.timeout(170_000);
  const out = mkdtempSync(join(tmpdir(), 'podwire-provision-'));
  // The machines of this test have no way out: what their images are made from must be in the cache before.
  await fetchNginx((text) => { t.log(text); });
  const engine = await startTestEngine();
  t.teardown(async () => {
    await engine.remove();
    rmSync(out, { recursive: true, force: true });
  });
  const machineScript = join(import.meta.dirname, 'vagrant-machine.sh');
  const socket = engine.host.replace('unix://', '');
  const folders = { controlPlane: join(out, 'control-plane'), worker: join(out, 'worker1') };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  // The control plane has its address already; the worker's card, known by its MAC, has none yet.
  const script = `set -eu
roster=control-plane=192.168.56.10,worker1=192.168.56.11
ip link set lo up
ip link add eth1 type veth peer name eth2 address 52:54:00:56:00:0b
ip link set eth1 up
ip address add 192.168.56.10/24 dev eth1
unshare --mount sh ${machineScript} ${folders.controlPlane} ${socket} 'podwire-apiserver.service podwire-join.service' control-plane control-plane 192.168.56.10 192.168.56.10 $roster 52:54:00:56:00:0a
unshare --mount sh ${machineScript} ${folders.worker} ${socket} podwire-agent.service worker worker1 192.168.56.11 192.168.56.10 $roster 52:54:00:56:00:0b
ip -o address show dev eth2 >${out}/address
url=https://192.168.56.10:6443
until curl -s --cacert ${folders.worker}/credentials/ca.crt $url/readyz | grep -q ok; do sleep 0.1; done
node=${join(source, 'node_modules/.bin/node')}
$node -e '
  const { KubeClient, loadKubeconfig, resources } = await import("@podwire/kube-client");
  const client = new KubeClient(loadKubeconfig(process.argv[1]));
  for (;;) {
    const node = (await client.list(resources.nodes)).items.find(({ metadata }) => metadata.name === "worker1");
    if (node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  console.log("Ready");
  process.exit(0);' ${folders.worker}/credentials/kubeconfig >${out}/ready
`;
  const result = await finish(['/usr/bin/unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '/bin/sh', '-c', script], {
    cwd: source, timeoutMs: 150_000, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', PODWIRE_JOIN_TOKEN: 'ab'.repeat(32), PODWIRE_DIR: source },
  });
  const read = (...path: readonly string[]): string => (existsSync(join(...path)) ? readFileSync(join(...path), 'utf8') : `no ${path.join('/')}`);
  t.is(result.code, 0, `${result.stdout}${result.stderr}\n${read(folders.controlPlane, 'podwire-apiserver.service.log')}\n${read(folders.worker, 'podwire-agent.service.log')}`);
  for (const [name, folder] of [['control-plane', folders.controlPlane], ['worker1', folders.worker]] as const) {
    t.regex(read(folder, 'first'), /changed: .*podwire-agent\.service/u);
    t.true(read(folder, 'second').endsWith(`provision: ${name}: nothing to change\n`), read(folder, 'second'));
    t.is(read(folder, 'files-2'), read(folder, 'files-1'));
    t.regex(read(folder, 'files-1'), /systemd\/system\/podwire-agent\.service/u);
    // Restarted once, by the first run.
    t.is(read(folder, 'systemctl.log').match(/^restart podwire-agent\.service$/gmu)?.length, 1);
  }
  t.not(read(folders.worker, 'machine-id'), read(folders.controlPlane, 'machine-id'));
  t.regex(read(out, 'address'), /192\.168\.56\.11\/24/u);
  t.is(read(out, 'ready'), 'Ready\n');
});
