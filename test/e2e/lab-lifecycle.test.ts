// What `down` leaves (nothing), what two labs do to each other (nothing), and what wrong input gets (a remedy and exit code 2).
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { finish, succeed } from '../helpers/run.ts';
import { cannotRunLab, launcher, root, TestLab } from './lab.ts';

const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;

/** Everything on the machine that carries this lab's name. */
function traces(lab: TestLab): string[] {
  const { id, stateDir, runDir } = lab.names;
  const processes = readdirSync('/proc').filter((entry) => /^\d+$/u.test(entry)).flatMap((pid) => {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
      const text = readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      return state !== 'Z' && Number(pid) !== process.pid && (text.includes(`PODWIRE_LAB=${id}`) || text.includes(`/podwire-${id}`) || text.includes(`/run/podwire/${id}`)) ? [`process ${pid}`] : [];
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(stateDir) || line.includes(runDir)).map((line) => `mount ${line}`);
  const files = [stateDir, runDir].filter((path) => existsSync(path)).map((path) => `file ${path}`);
  const links = readdirSync('/sys/class/net').filter((name) => name.includes(id)).map((name) => `link ${name}`);
  const groups = readdirSync('/sys/fs/cgroup').flatMap((entry) => (existsSync(`/sys/fs/cgroup/${entry}/podwire-${id}`) ? [`cgroup ${entry}`] : []));
  return [...processes, ...mounts, ...files, ...links, ...groups];
}

/** What the machine's own namespace looks like: a lab must leave it as it was. Routes of other labs, which may come and go meanwhile, are left out: `traces` looks for ours. */
async function machine(): Promise<string> {
  const [routes, rules, forwarding] = await Promise.all([succeed(['/usr/sbin/ip', '-oneline', 'route']).then((text) => text.split('\n').filter((line) => !/ dev pw-[0-9a-f]{6} /u.test(line)).join('\n')), succeed(['/usr/sbin/nft', 'list', 'ruleset']), succeed(['/usr/sbin/sysctl', 'net.ipv4.ip_forward'])]);
  return [routes, rules, forwarding].join('\n');
}

e2e('two labs live side by side, and down of one leaves the other whole', async (t) => {
  const before = await machine();
  const first = new TestLab();
  const second = new TestLab();
  try {
    await first.up(['--nodes', '1']);
    await second.up(['--nodes', '2']);
    t.not(first.names.id, second.names.id);
    t.is((await first.kubectl(['get', 'nodes', '-o', 'name'])).trim(), 'node/node1');
    await first.remove();
    t.deepEqual(traces(first), []);
    t.is((await second.kubectl(['get', 'nodes', '-o', 'name'])).trim(), 'node/node1\nnode/node2');
    t.is((await second.podwire('status')).code, 0);
  } finally {
    await first.remove();
    await second.remove();
  }
  t.deepEqual(traces(second), []);
  t.is(await machine(), before);
});

e2e("a lab on somebody else's engine takes away its own containers and nothing more", async (t) => {
  const owner = new TestLab();
  const guest = new TestLab();
  const host = `unix://${owner.names.runDir}/docker.sock`;
  const containers = (): Promise<string> => succeed(['/usr/bin/curl', '-sS', '--unix-socket', `${owner.names.runDir}/docker.sock`, 'http://engine/containers/json?all=1']);
  const ids = async (): Promise<readonly string[]> => (JSON.parse(await containers()) as readonly { readonly Id: string }[]).map(({ Id }) => Id).sort();
  try {
    await owner.up(['--nodes', '1', '--docker-host', 'private']);
    const before = await ids();
    await guest.up(['--nodes', '1', '--docker-host', host]);
    t.is((await ids()).length, before.length + 1);
    await guest.remove();
    t.deepEqual(await ids(), before);
    t.deepEqual(traces(guest), []);
    t.is((await owner.podwire('status')).code, 0);
  } finally {
    await guest.remove();
    await owner.remove();
  }
});

e2e('down leaves nothing after kill -9 of everything, even without the state file', async (t) => {
  const lab = new TestLab();
  try {
    await lab.up(['--nodes', '1']);
    await lab.kubectl(['run', 'left', '--image=podwire/busybox:1', '--', 'sleep', '100000']);
    await lab.kubectl(['wait', '--for=condition=Ready', 'pod/left', '--timeout=60s']);
    for (const service of ['apiserver', 'agent-node1', 'dockerd', 'containerd']) process.kill(lab.pid(service), 'SIGKILL');
    rmSync(lab.names.stateFile);
  } finally {
    await lab.remove();
  }
  t.deepEqual(traces(lab), []);
});

for (const [title, args, pattern] of [
  ['a bad CIDR', ['up', '--pod-cidr', '10.244.0.0/33'], /--pod-cidr: '10\.244\.0\.0\/33' is not an IPv4 CIDR/u],
  ['an unknown option', ['up', '--noodles', '3'], /unknown option '--noodles'/u],
  ['a number that is none', ['up', '--nodes', 'many'], /whole number/u],
  ['an unknown command', ['upp'], /unknown command 'upp'/u],
  ['no Docker where DOCKER_HOST points', ['up', '--docker-host', 'unix:///nowhere/docker.sock'], /Docker does not answer on unix:\/\/\/nowhere\/docker\.sock; start it, or pass --docker-host private/u],
  ['a node that is not there', ['node', 'node9', '--', 'true'], /there is no lab in/u],
] as const) {
  e2e(`${title}: a clear message, exit 2, nothing half done`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-e2e-'));
    t.teardown(() => { rmSync(folder, { recursive: true, force: true }); });
    const [command, ...rest] = args;
    const { code, stderr } = await finish([launcher, command, '--state-dir', join(folder, 'lab'), ...rest]);
    t.is(code, 2);
    t.regex(stderr, pattern);
    t.false(existsSync(join(folder, 'lab')));
  });
}

e2e('a port in use: a clear message, exit 2, nothing half done', async (t) => {
  const lab = new TestLab();
  t.teardown(() => lab.remove());
  const taken = createServer();
  await new Promise<void>((resolve) => { taken.listen(0, '0.0.0.0', resolve); });
  t.teardown(() => { taken.close(); });
  const { port } = taken.address() as { readonly port: number };
  const { code, stderr } = await lab.podwire('up', ['--api-port', String(port)]);
  t.is(code, 2);
  t.regex(stderr, new RegExp(`--api-port: port ${port} is in use`, 'u'));
  t.deepEqual(traces(lab), []);
});

e2e('an up that fails half way takes back what it had made', async (t) => {
  const lab = new TestLab();
  t.teardown(() => lab.remove());
  const folder = mkdtempSync(join(tmpdir(), 'podwire-e2e-'));
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }); });
  // An engine that answers, and can do nothing: it has no image and takes none.
  const engine = createHttpServer((request, response) => {
    const ok = /\/_ping$|\/info$|\/(containers|images)\/json/u.test(request.url ?? '');
    request.resume();
    response.writeHead(ok ? 200 : request.method === 'GET' ? 404 : 500, { 'content-type': 'application/json' }).end(ok ? (request.url?.includes('/json') === true ? '[]' : '{}') : '{"message": "the disk is full"}');
  });
  const socket = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => { engine.listen(socket, resolve); });
  t.teardown(() => { engine.closeAllConnections(); engine.close(); });
  const { code, stderr } = await lab.podwire('up', ['--docker-host', `unix://${socket}`]);
  t.is(code, 2);
  t.regex(stderr, /the Docker engine on unix:.* refuses \(HTTP 500\): the disk is full/u);
  t.deepEqual(traces(lab), []);
});

e2e("somebody's folder is not taken for a state directory", async (t) => {
  const lab = new TestLab();
  t.teardown(() => lab.remove());
  mkdirSync(lab.stateDir);
  writeFileSync(join(lab.stateDir, 'letter.txt'), 'dear');
  const { code, stderr } = await lab.podwire('up');
  t.is(code, 2);
  t.regex(stderr, /is not empty and holds no lab/u);
  await lab.podwire('down');
  t.is(readFileSync(join(lab.stateDir, 'letter.txt'), 'utf8'), 'dear');
});

e2e('without root: a clear message and exit 2', async (t) => {
  const { code, stderr } = await finish(['/usr/bin/setpriv', '--reuid', '65534', '--clear-groups', process.execPath, join(root, 'lab/main.ts'), 'up', '--state-dir', '/tmp/podwire-e2e-nobody']);
  t.is(code, 2);
  t.regex(stderr, /podwire up needs root/u);
});
