// Executables whose calls a running agent does: the launcher asks it, and does without it when it is gone.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { installPlugins, servePlugins } from '../../cni/index.ts';
import { agentFile } from '../../cni/plugins/serve.ts';
import { TestBed, ipJson, run, runExecutablePlugin } from '../../cni/testing/test-bed.ts';
import type { PluginRun } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
const bed = new TestBed();
const bin = join(bed.folder, 'bin');
const netns = bed.namespace('served');
test.before(async () => { await installPlugins(bin); });
test.after.always(() => bed.close());

const config = { cniVersion: '1.1.0', name: 'served', type: 'podwire', bridge: 'pw-served', ipam: { type: 'host-local', dataDir: bed.dataDir, ranges: [[{ subnet: '10.91.0.0/24' }]] } };
// The words of the launcher's own call: with them it cannot be a Node of its own that answered.
const noNode = { CNI_PATH: bin, CNI_CONTAINERID: 'c', CNI_NETNS: netns, CNI_IFNAME: 'eth0' };
const call = (verb: string, input: unknown = config, name = 'podwire'): Promise<PluginRun> => runExecutablePlugin(join(bin, name), { ...noNode, CNI_COMMAND: verb }, input);
const wired = (): boolean => ipJson('link', 'show', 'type', 'veth').length === 1;

/** A Node that says so instead of running: whoever needs one fails. */
function withoutNode<T>(work: () => Promise<T>): Promise<T> {
  const start = join(bin, '.podwire', 'start.cjs');
  const program = readFileSync(start);
  writeFileSync(start, 'process.stdout.write(JSON.stringify({ code: 999, msg: "a Node of its own" })); process.exit(9);');
  return work().finally(() => writeFileSync(start, program));
}

test.serial('every verb is done by the agent, with its result, its errors and its warnings', async (t) => {
  const served = await servePlugins(bin);
  t.is(statSync(agentFile(bin)).mode & 0o777, 0o600);
  await withoutNode(async () => {
    const added = await call('ADD');
    t.is(added.code, 0, added.stdout);
    t.true(wired());
    t.deepEqual((added.json['ips'] as object[])[0], { interface: 2, address: '10.91.0.2/24', gateway: '10.91.0.1' });
    t.is((await call('CHECK', { ...config, prevResult: added.json })).code, 0);
    t.like(await call('ADD'), { code: 1, json: { cniVersion: '1.1.0', code: 103 } });
    t.like(await call('ADD', '{"broken'), { code: 1, json: { code: 6 } });
    t.like((await call('VERSION')).json, { cniVersion: '1.1.0' });
    t.is((await call('GC', { ...config, 'cni.dev/valid-attachments': [] })).code, 0);
    t.false(wired());
    const { code, stdout } = await call('DEL', { ...config, prevResult: added.json });
    t.deepEqual([code, stdout], [0, '']);
    t.is((await call('ADD', { cniVersion: '1.1.0', name: 'lo', type: 'loopback' }, 'loopback')).code, 0);
  });
  await served.stop();
  t.false(existsSync(agentFile(bin)));
});

test.serial('an agent that is gone, or one that does not answer, is done without', async (t) => {
  const served = await servePlugins(bin);
  const note = readFileSync(agentFile(bin), 'utf8');
  await served.stop();
  // A kill -9 leaves the note behind; what it names is closed, then taken by a stranger who hangs up.
  writeFileSync(agentFile(bin), note);
  t.is((await call('ADD')).code, 0);
  t.true(wired());
  const other = await servePlugins(bin);
  const [port] = readFileSync(agentFile(bin), 'utf8').split(' ');
  writeFileSync(agentFile(bin), `${port ?? ''} wrong\n`);
  t.is((await call('DEL')).code, 0);
  t.false(wired());
  await other.stop();
});

test.serial('who does not know the token gets no word', async (t) => {
  const served = await servePlugins(bin);
  const [port] = readFileSync(agentFile(bin), 'utf8').split(' ');
  const heard = await new Promise<string>((done) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port: Number(port) }, () => { socket.write(['wrong', 'podwire', 'VERSION', '', '', '', '', '', '{}', ''].join('\0')); });
    socket.on('data', (chunk) => { text += chunk.toString(); }).on('error', () => undefined).on('close', () => done(text));
  });
  t.is(heard, '');
  await served.stop();
});

test('a folder without executables is refused with the remedy', async (t) => {
  await t.throwsAsync(servePlugins(bed.folder), { message: /no CNI executables are installed there; run podwire cni install/ });
});
